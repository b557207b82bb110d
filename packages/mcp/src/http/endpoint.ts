import type { Decision, Guard } from '@countersign/guard'
import {
  challenge,
  metadataPath,
  protectedResourceMetadata,
  readBearer,
  resourceMetadataUrl,
} from '@countersign/guard/http'
import type { CatalogueEntry } from '../access.ts'
import { identityOf, type Ticket } from '../core/caller.ts'
import type { Door } from '../core/door.ts'
import { type Operation, readOperations } from '../core/operation.ts'
import type { Registry } from '../core/registry.ts'
import { traceIdOf } from '../core/trace-id.ts'
import type { McpEvent, McpRefusal } from '../events.ts'
import { jsonAnswer, publicDocument, rpcCodes, rpcError } from './answers.ts'
import type { BrowserRules } from './browser-rules.ts'
import { catalogueAnswer } from './catalogue-page.ts'
import { BodyFault, type Incoming } from './incoming.ts'

/** An admitted request, as the SDK's part of the endpoint gets it. */
export interface Admitted extends Ticket {
  readonly request: Request
  /** `undefined` for GET and DELETE. */
  readonly body: unknown
  readonly operations: readonly Operation[]
  readonly header: (name: string) => string | undefined
  readonly signal: AbortSignal
  /** Aborts when the token ends, whether or not anybody still waits for the answer. */
  readonly tokenEnded: AbortSignal
  readonly whileRunning: (work: Promise<unknown>) => void
  /** Reports a refusal that only the SDK's part can see. */
  readonly refuse: (reason: McpRefusal) => void
}

/** The SDK's part. */
export interface Backend {
  readonly handle: (admitted: Admitted) => Promise<Response>
  readonly methods: readonly string[]
  readonly close: () => Promise<void>
}

export interface EndpointOptions {
  readonly guard: Guard
  readonly door: Door
  readonly registry: Registry
  readonly backend: Backend
  readonly browser: BrowserRules
  readonly catalogue: readonly CatalogueEntry[]
  readonly settings: HttpSettings
  readonly report: ((event: McpEvent) => void) | undefined
}

export interface HttpSettings {
  readonly resource: URL
  /** Exactly as it was given. */
  readonly resourceText: string
  readonly baselineScopes: readonly string[]
  readonly anonymous: boolean
  readonly maxBodyBytes: number
  readonly maxBatch: number
  readonly catalogue: 'token' | 'public' | 'none'
  readonly realm: string | undefined
}

/** An answer, and when it has to end before its time. */
export interface Answer {
  readonly response: Response
  /** Aborts when the caller hangs up, and when the token behind it ends. */
  readonly ended?: AbortSignal
  /** Has to be called once the answer is through, however it ended. */
  readonly release?: () => void
}

export interface Endpoint {
  /** `undefined`: the path is not the endpoint's. Never rejects: a fault is answered 500. */
  answer(incoming: Incoming): Promise<Answer | undefined>
  close(): Promise<void>
}

type Denial = Extract<Decision, { admitted: false }>

export function createEndpoint(options: EndpointOptions): Endpoint {
  const { guard, door, registry, backend, browser, catalogue, settings, report } = options
  const { resource, resourceText, baselineScopes, realm, anonymous } = settings
  const described = {
    ...guard,
    resource: resourceText,
    scopes: baselineScopes.length === 0 ? undefined : baselineScopes,
  }
  const metadata = protectedResourceMetadata(described)
  const resourceMetadata = resourceMetadataUrl(described) ?? ''
  const metadataPaths = new Set([metadataPath, new URL(resourceMetadata).pathname])
  const path = resource.pathname
  const cataloguePath = `${path.replace(/\/$/, '')}/catalogue`
  // Said once here, so that a realm that cannot stand in a header stops the start, not a request.
  challenge({ admitted: false, code: 'no_token' }, { realm, resourceMetadata })
  let closed = false

  const refuse = (reason: McpRefusal): void => report?.({ type: 'refused', transport: 'http', reason })
  const refused = (reason: McpRefusal, status: number, text: string, headers?: Record<string, string>): Response => {
    refuse(reason)
    const code = reason === 'not_json' ? rpcCodes.parseError : rpcCodes.refused
    return rpcError(status, code, text, headers === undefined ? {} : { headers })
  }
  const denied = (denial: Denial, scopes: readonly string[]): Response => {
    const asked = scopes.length === 0 ? baselineScopes : scopes
    const { status, headers, body } = challenge(denial, { scopes: asked, resourceMetadata, realm })
    return jsonAnswer(status, headers, body)
  }

  const answer = async (incoming: Incoming): Promise<Answer | undefined> => {
    const { method } = incoming
    if (metadataPaths.has(incoming.path)) return { response: publicDocument(method, metadata) }
    const isCatalogue = incoming.path === cataloguePath && settings.catalogue !== 'none'
    if (incoming.path !== path && !isCatalogue) return undefined
    if (closed)
      return { response: rpcError(503, rpcCodes.refused, 'The server is closing', { headers: { 'Retry-After': '5' } }) }
    if (!browser.isHostAllowed(incoming.header('host'))) {
      return { response: refused('host', 403, 'This name is not served here') }
    }
    const origin = incoming.header('origin')
    if (!browser.isOriginAllowed(origin, incoming.header('host'))) {
      return { response: refused('origin', 403, 'This origin may not call') }
    }
    const answered =
      method === 'OPTIONS'
        ? {
            response: new Response(null, { status: 204, headers: { Allow: `${backend.methods.join(', ')}, OPTIONS` } }),
          }
        : isCatalogue
          ? { response: await answerCatalogue(incoming) }
          : await answerMcp(incoming)
    return origin === undefined
      ? answered
      : { ...answered, response: withCors(answered.response, origin, backend.methods) }
  }

  const answerCatalogue = async (incoming: Incoming): Promise<Response> => {
    if (incoming.method !== 'GET') return refused('method', 405, 'Method not allowed', { Allow: 'GET' })
    if (settings.catalogue === 'token') {
      const decision = await door.admit(readBearer(incoming.head))
      if (!decision.admitted) return denied(decision, [])
    }
    return catalogueAnswer(incoming.header('accept'), resourceText, catalogue)
  }

  const answerMcp = async (incoming: Incoming): Promise<Answer> => {
    const { method } = incoming
    if (!backend.methods.includes(method)) {
      return { response: refused('method', 405, 'Method not allowed', { Allow: backend.methods.join(', ') }) }
    }
    let body: unknown
    if (method === 'POST') {
      const fault = await readBody(incoming)
      if (fault instanceof Response) return { response: fault }
      body = fault.body
    }
    const operations = method === 'POST' ? readOperations(body, registry) : []
    const traceId = traceIdOf(incoming.header('traceparent'), operations[0]?.traceparent)
    const credentials = readBearer(incoming.head)
    const verdict = await door.knock({ credentials, operations, transport: 'http', anonymous, traceId })
    if (!verdict.admitted) return { response: denied(verdict.denial, verdict.scopes) }
    return serve(incoming, { caller: verdict.caller, traceId, body, operations })
  }

  const readBody = async (incoming: Incoming): Promise<Response | { readonly body: unknown }> => {
    if (!/^application\/json\s*(;|$)/i.test(incoming.header('content-type') ?? '')) {
      return refused('media_type', 415, 'Content-Type must be application/json')
    }
    if (!/^(identity)?$/i.test(incoming.header('content-encoding') ?? '')) {
      return refused('media_type', 415, 'The body must not be compressed')
    }
    try {
      const body = await incoming.readBody(settings.maxBodyBytes)
      if (Array.isArray(body) && body.length > settings.maxBatch) {
        return refused('batch_too_large', 400, `A batch has at most ${settings.maxBatch} messages`)
      }
      return { body }
    } catch (fault) {
      if (!(fault instanceof BodyFault)) throw fault
      if (fault.reason === 'not_json') return refused('not_json', 400, 'Parse error: the body is not JSON')
      return refused('too_large', 413, `The body has at most ${settings.maxBodyBytes} bytes`, { Connection: 'close' })
    }
  }

  /** Runs an admitted request; its stream, and the call itself, end with the token behind it. */
  const serve = async (
    incoming: Incoming,
    { caller, ...about }: Pick<Admitted, 'caller' | 'traceId' | 'body' | 'operations'>,
  ): Promise<Answer> => {
    const ending = new AbortController()
    const tokenEnding = new AbortController()
    const hangUp = (): void => ending.abort()
    let code: Denial['code'] | undefined
    const { principal } = caller
    const unwatch =
      principal === undefined
        ? () => {}
        : guard.watch(principal, ({ reason }) => {
            code = reason === 'stale' ? 'revocations_stale' : reason
            report?.({ type: 'ended', transport: 'http', reason, caller: identityOf(principal) })
            tokenEnding.abort()
            ending.abort()
          })
    let holders = 1
    const letGo = (): void => {
      holders -= 1
      if (holders === 0) unwatch()
    }
    const whileRunning = (work: Promise<unknown>): void => {
      holders += 1
      work.then(letGo, letGo)
    }
    const release = (): void => {
      letGo()
      incoming.signal.removeEventListener('abort', hangUp)
    }
    if (incoming.signal.aborted) ending.abort()
    else incoming.signal.addEventListener('abort', hangUp, { once: true })
    try {
      const { signal } = ending
      const { header } = incoming
      const response = await backend.handle({
        ...about,
        tokenEnded: tokenEnding.signal,
        whileRunning,
        caller,
        signal,
        header,
        refuse,
        request: incoming.toRequest(signal),
      })
      if (code !== undefined) {
        response.body?.cancel().catch(() => {})
        release()
        return { response: denied({ admitted: false, code }, []) }
      }
      if (isStream(response)) return { response, ended: signal, release }
      release()
      return { response }
    } catch (cause) {
      release()
      throw cause
    }
  }

  return {
    async answer(incoming) {
      try {
        return await answer(incoming)
      } catch (cause) {
        report?.({ type: 'fault', transport: 'http', cause })
        return { response: rpcError(500, -32_603, 'Internal server error') }
      }
    },
    async close() {
      closed = true
      await backend.close()
    },
  }
}

/** Anything else is whole when it is handed over. */
export function isStream({ headers }: Response): boolean {
  return headers.get('content-type')?.startsWith('text/event-stream') === true
}

/** What a browser page needs to read the answer; the origin was checked before. */
function withCors(response: Response, origin: string, methods: readonly string[]): Response {
  const { headers } = response
  headers.set('Access-Control-Allow-Origin', origin)
  headers.append('Vary', 'Origin')
  headers.set('Access-Control-Expose-Headers', 'WWW-Authenticate, Mcp-Session-Id, Mcp-Protocol-Version')
  if (response.status !== 204 || !headers.has('Allow')) return response
  headers.set('Access-Control-Allow-Methods', methods.join(', '))
  headers.set(
    'Access-Control-Allow-Headers',
    'Authorization, Content-Type, Accept, Mcp-Session-Id, Mcp-Protocol-Version, Mcp-Method, Mcp-Name, Last-Event-ID, Traceparent',
  )
  headers.set('Access-Control-Max-Age', '600')
  return response
}
