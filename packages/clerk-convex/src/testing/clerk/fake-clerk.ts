import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type Clock, systemClock } from '@countersign/tokens'
import { backendApi } from './backend-api.ts'
import { corsOf, frontendApi } from './frontend-api.ts'
import { type MachineTokens, machineTokens } from './machine-tokens.ts'
import { newId } from './records.ts'
import { sessionClaims, type TokenOptions } from './session-claims.ts'
import { type ClerkJwk, createSigningKey, type SigningKey } from './signing-key.ts'
import { ApiFault } from './types.ts'
import { createWebhookSecret, type WebhookInput, webhookRequest } from './webhook-request.ts'
import { createWorld, found, type World } from './world.ts'

/** How the stand-in fails: connections cut, 503 to everything, or every answer held back for so long. */
export type Outage = 'drop' | 'unavailable' | { readonly slowMs: number }

export interface FakeClerkOptions {
  /** What tokens are dated by. */
  readonly clock?: Clock
  /** On 127.0.0.1. @default any that is free */
  readonly port?: number
  /** `aud` of session tokens: `convex`, as Clerk's integration for Convex writes it. @default none */
  readonly sessionAudience?: string
  /** Of session tokens, unless one is asked for otherwise. @default 60 */
  readonly tokenLifeSeconds?: number
}

/** A stand-in for one Clerk instance on loopback, for the real `@clerk/backend` to talk to. */
export interface FakeClerk {
  /** Of the tokens, and where the Frontend API answers `/.well-known/jwks.json`. */
  readonly issuer: string
  /** For `createClerkClient({ apiUrl })`. */
  readonly apiUrl: string
  readonly secretKey: string
  readonly publishableKey: string
  readonly webhookSecret: string
  /** Users, organisations, memberships and sessions; what is changed here is told as webhooks. */
  readonly world: World
  readonly machines: MachineTokens
  /** What was asked, in order: `GET /v1/jwks`. */
  readonly requests: readonly string[]
  readonly jwks: { readonly keys: readonly ClerkJwk[] }
  /** The key that signs now. */
  readonly signingKey: SigningKey
  /** Signs with a new key from now on; the old one stays in the JWKS. */
  rotateKey(): SigningKey
  /** Takes a key out of the JWKS. */
  withdrawKey(kid: string): void
  /** A token of a session, signed; of an ended one too: real tokens outlive their sessions as well. */
  token(sessionId: string, options?: TokenOptions): string
  /** A delivery of one event, signed. */
  webhook(url: string, input: WebhookInput): Request
  /** Posts every change of {@link world} there from now on; the returned function ends that. */
  subscribe(url: string): () => void
  /** Resolves when what was told before has been answered or has failed. */
  delivered(): Promise<void>
  /** @param outage `undefined` ends it */
  setOutage(outage: Outage | undefined): void
  /** Answers the next call of the Backend API with a fault. */
  failNext(status: number, code: string, retryAfterSeconds?: number): void
  close(): Promise<void>
}

/** Any page may read them. */
const jwksHeaders = { 'cache-control': 'max-age=300', 'access-control-allow-origin': '*' }

/** Where sessions are signed in unless a token says otherwise. */
const defaultOrigin = 'https://app.example.com'

/** Starts the stand-in. */
export async function fakeClerk(options: FakeClerkOptions = {}): Promise<FakeClerk> {
  const { clock = systemClock, port = 0, sessionAudience: audience, tokenLifeSeconds = 60 } = options
  const secretKey = `sk_test_${newId('x').slice(2)}`
  const webhookSecret = createWebhookSecret()
  const requests: string[] = []
  const faults: ApiFault[] = []
  const subscribers = new Set<string>()
  const deliveries = new Set<Promise<unknown>>()
  let keys: readonly SigningKey[] = [createSigningKey()]
  let outage: Outage | undefined
  let issuer = ''

  const signingKey = (): SigningKey => found(keys[0])
  const jwks = () => ({ keys: keys.map(({ jwk }) => jwk) })
  const world = createWorld(clock, (type, data) => {
    for (const url of subscribers) {
      const delivery = fetch(webhookRequest(url, webhookSecret, { type, data }, clock.now())).catch(() => {})
      deliveries.add(delivery)
      void delivery.finally(() => deliveries.delete(delivery))
    }
  })
  const machines = machineTokens(clock, () => issuer, signingKey)

  const token: FakeClerk['token'] = (sessionId, tokenOptions = {}) => {
    const session = found(world.sessions.get(sessionId))
    const { origin = defaultOrigin, organization = session.last_active_organization_id, template } = tokenOptions
    const chosen = organization === false ? undefined : organization
    const claims = sessionClaims(
      { lifeSeconds: tokenLifeSeconds, ...tokenOptions },
      {
        issuer,
        session,
        membership: chosen === undefined ? undefined : found(world.membership(chosen, session.user_id)),
        origin: origin === false ? undefined : origin,
        audience,
        sinceProof: world.sinceProof(sessionId),
        now: clock.now(),
      },
    )
    const category = template === undefined ? {} : { cat: 'cl_B7d4PD222AAA' }
    return signingKey().sign(claims, { ...category, ...tokenOptions.header })
  }
  const answer = backendApi({ world, machines, secretKey, jwks, mint: token })
  const frontend = frontendApi({ world, mint: token })

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { pathname, searchParams } = new URL(request.url ?? '/', issuer)
    requests.push(`${request.method} ${pathname}`)
    const failing = outage
    if (failing === 'drop') return void request.socket.destroy()
    if (failing === 'unavailable') return send(response, 503, { errors: [] })
    if (failing !== undefined) await new Promise((resolve) => setTimeout(resolve, failing.slowMs).unref())
    try {
      if (pathname === '/.well-known/jwks.json') return send(response, 200, jwks(), jwksHeaders)
      if (pathname === '/.well-known/openid-configuration') return send(response, 200, discovery(issuer))
      const { method = 'GET', headers } = request
      const asked = { method, path: pathname, query: searchParams, headers, body: await readBody(request) }
      if (frontend.owns(pathname)) {
        const { status, headers: more, body } = frontend.answer(asked)
        return send(response, status, body, more)
      }
      const fault = faults.shift()
      if (fault !== undefined) throw fault
      send(response, 200, answer(asked))
    } catch (error) {
      const { status, code, retryAfterSeconds } =
        error instanceof ApiFault ? error : new ApiFault(500, 'internal_error')
      const wait = retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }
      const headers = { ...wait, ...(frontend.owns(pathname) ? corsOf(request.headers.origin) : {}) }
      send(response, status, { errors: [{ code, message: code, long_message: code, meta: {} }] }, headers)
    }
  }
  const server = createServer((request, response) => void handle(request, response))
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve))
  const address = server.address()
  const host = `127.0.0.1:${typeof address === 'object' ? address?.port : port}`
  issuer = `http://${host}`

  return {
    issuer,
    apiUrl: issuer,
    secretKey,
    publishableKey: `pk_test_${Buffer.from(`${host}$`).toString('base64')}`,
    webhookSecret,
    world,
    machines,
    requests,
    get jwks() {
      return jwks()
    },
    get signingKey() {
      return signingKey()
    },
    rotateKey() {
      keys = [createSigningKey(), ...keys]
      return signingKey()
    },
    withdrawKey(kid) {
      keys = keys.filter((key) => key.kid !== kid)
    },
    token,
    webhook: (url, input) => webhookRequest(url, webhookSecret, input, clock.now()),
    subscribe(url) {
      subscribers.add(url)
      return () => subscribers.delete(url)
    },
    async delivered() {
      while (deliveries.size > 0) await Promise.all(deliveries)
    },
    setOutage(next) {
      outage = next
    },
    failNext(status, code, retryAfterSeconds) {
      faults.push(new ApiFault(status, code, retryAfterSeconds))
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function discovery(issuer: string): object {
  return {
    issuer,
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    authorization_endpoint: `${issuer}/oauth/authorize`,
    id_token_signing_alg_values_supported: ['RS256'],
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
  }
}

/** JSON, or a form of the sign-in page. */
async function readBody(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  const text = Buffer.concat(chunks).toString()
  if (text === '') return {}
  if (request.headers['content-type']?.startsWith('application/x-www-form-urlencoded') === true) {
    return Object.fromEntries(new URLSearchParams(text))
  }
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return { ...value }
  } catch {
    // Falls through to the fault of a body that is no object.
  }
  throw new ApiFault(400, 'request_body_invalid')
}

function send(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const isPage = typeof body === 'string'
  const type = isPage ? 'text/html; charset=utf-8' : 'application/json'
  response.writeHead(status, { 'content-type': type, ...headers }).end(isPage ? body : JSON.stringify(body))
}
