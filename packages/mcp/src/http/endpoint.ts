import type { Guard } from '@countersign/guard'
import {
  challenge,
  metadataPath,
  protectedResourceMetadata,
  readBearer,
  resourceMetadataUrl,
} from '@countersign/guard/http'
import type { CatalogueEntry } from '../access.ts'
import type { Door } from '../core/door.ts'
import { readOperations } from '../core/operation.ts'
import type { Registry } from '../core/registry.ts'
import { traceIdOf } from '../core/trace-id.ts'
import type { McpEvent, McpRefusal } from '../events.ts'
import { jsonAnswer, publicDocument, rpcCodes, rpcError } from './answers.ts'
import type { BrowserRules } from './browser-rules.ts'
import { catalogueAnswer } from './catalogue-page.ts'
import { BodyFault, type Incoming } from './incoming.ts'
import { type Answer, type Backend, createServing, type Denial } from './serving.ts'

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

export interface Endpoint {
  /** `undefined`: the path is not the endpoint's. Never rejects: a fault is answered 500. */
  answer(incoming: Incoming): Promise<Answer | undefined>
  close(): Promise<void>
}

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

  const serve = createServing({ guard, backend, report, refuse, denied })

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
