import type { IncomingMessage, ServerResponse } from 'node:http'
import { z } from 'zod'
import { IssuerError, isIssuerError } from '../errors.ts'
import type { OnIssuerEvent } from '../events.ts'
import { endpointPaths } from '../metadata.ts'
import { refusal } from '../refusals.ts'
import type { Issuer, ReadyReport } from '../types.ts'
import { PeerGone } from './body.ts'
import { createRefreshCookies } from './cookies.ts'
import { answerPreflight } from './cors.ts'
import { answer, type Exchange, type Face, type Handler } from './exchange.ts'
import { feedRoutes } from './feed-routes.ts'
import { foreignRoute } from './foreign-routes.ts'
import { HttpRefused, statusOf } from './http-refused.ts'
import { errorsRoute, healthRoute, jwksRoute, metadataRoute } from './public-routes.ts'
import { signInRoute, signOutRoute, statusRoute } from './sign-in-routes.ts'
import { createStreams } from './streams.ts'
import { authorizeRoute, introspectRoute, revokeRoute, tokenRoute } from './token-routes.ts'

export interface IssuerRoutesOptions {
  /**
   * How many reverse proxies stand before this process, each appending the address it saw to X-Forwarded-For; 0 to 16.
   * With 0 the header is not read. @default 0
   */
  readonly trustedProxyHops?: number
  /** Asked by `/readyz` beside the issuer's own checks. A rejection means `unready`. */
  readonly ready?: () => Promise<ReadyReport>
  /** The path in front of the routes as this process sees it. @default the issuer's path */
  readonly basePath?: string
  /** The page that `error_uri` leads to; the code is appended as `#code`. @default a page of the service's own */
  readonly errorsUrl?: string
  /** `GET /revocations/stream`s open at once; one more is answered 503. 1 to 100,000. @default 2_000 */
  readonly maxStreams?: number
  /** Faults of the HTTP face, and requests refused before they reach the issuer. */
  readonly onEvent?: OnIssuerEvent
}

/** Fits Express (`app.use`), and `createServer` of node:http as it is. */
export type RouteHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  next?: (error?: unknown) => void,
) => void

interface Route {
  readonly methods: Readonly<Record<string, Handler>>
  readonly allow: string
  /** Parameters go in the body: a URL ends up in logs and histories. */
  readonly query: boolean
  readonly cors: boolean
}

const get = (handler: Handler, extra: Partial<Route> = {}): Route => ({
  methods: { GET: handler, HEAD: handler },
  allow: 'GET, HEAD, OPTIONS',
  query: true,
  cors: false,
  ...extra,
})
const post = (handler: Handler, cors: boolean): Route => ({
  methods: { POST: handler },
  allow: 'POST, OPTIONS',
  query: false,
  cors,
})

const optionsShape = z.strictObject({
  trustedProxyHops: z.int().min(0).max(16).default(0),
  basePath: z
    .string()
    .regex(/^(?:\/[A-Za-z0-9._~-]+)*$/)
    .optional(),
  errorsUrl: z.url().optional(),
  maxStreams: z.int().min(1).max(100_000).default(2_000),
})

/**
 * The issuer's HTTP face: one handler for all its routes. It reads its own bodies (at most 16 KiB), so mount it before any
 * body parser. Header size, slow senders and conflicting framing are for the server that it is mounted on:
 * `@countersign/server` sets `headersTimeout`, `requestTimeout` and `maxHeaderSize`; do so on a server of your own.
 *
 * @throws IssuerError `invalid_option`
 */
export function issuerRoutes(issuer: Issuer, options: IssuerRoutesOptions = {}): RouteHandler {
  const { ready, onEvent, ...plain } = options
  const parsed = optionsShape.safeParse(plain)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    throw new IssuerError('invalid_option', `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`)
  }
  const url = new URL(issuer.issuer)
  const issuerPath = url.pathname === '/' ? '' : url.pathname
  const base = parsed.data.basePath ?? issuerPath
  const face: Face = {
    issuer,
    cookies: createRefreshCookies(url.protocol === 'https:'),
    trustedProxyHops: parsed.data.trustedProxyHops,
    errorsUrl: parsed.data.errorsUrl ?? `${issuer.issuer}/oauth/errors`,
  }
  const routes = new Map([
    ...routeTable(base, issuerPath, ready),
    ...feedRouteTable(base, issuer.feed, parsed.data.maxStreams),
    ...issuer.foreign.listening.map((name): [string, Route] => [
      base + endpointPaths.foreignEvents(name),
      post(foreignRoute(name), false),
    ]),
  ])

  return (request, response, next) => {
    const target = targetOf(request)
    const question = target.indexOf('?')
    const path = question < 0 ? target : target.slice(0, question)
    const route = routes.get(path)
    if (route === undefined && next !== undefined) {
      next()
      return
    }
    const exchange: Exchange = {
      face,
      request,
      response,
      query: question < 0 ? undefined : target.slice(question + 1),
      headers: [],
    }
    dispatch(exchange, route).catch((error: unknown) => {
      try {
        answerError(exchange, error, onEvent)
      } catch (fault) {
        onEvent?.({ type: 'fault', part: 'http', error: fault })
        response.destroy()
      }
    })
  }
}

async function dispatch(exchange: Exchange, route: Route | undefined): Promise<void> {
  const { request } = exchange
  const method = request.method ?? ''
  if (route === undefined) throw new HttpRefused(404, refusal('no_such_route'))
  const handler = Object.hasOwn(route.methods, method) ? route.methods[method] : undefined
  if (handler === undefined) {
    if (method === 'OPTIONS') return answerPreflight(exchange, route)
    exchange.headers.push('Allow', route.allow)
    throw new HttpRefused(405, refusal('method_not_allowed'))
  }
  if (!route.query && exchange.query !== undefined) throw refusal('parameters_in_url')
  if (repeatsHeader(request.rawHeaders)) throw refusal('header_repeated')
  return handler(exchange)
}

/** Node keeps the first of these and drops the others silently; two credentials are refused instead (RFC 6749 section 2.3). */
function repeatsHeader(raw: readonly string[]): boolean {
  let seen = 0
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] ?? ''
    // By length first: most headers are none of these.
    if (name.length !== 13 && name.length !== 12 && name.length !== 6) continue
    const bit = singleHeaders.get(name.toLowerCase())
    if (bit === undefined) continue
    if ((seen & bit) !== 0) return true
    seen |= bit
  }
  return false
}

const singleHeaders: ReadonlyMap<string, number> = new Map([
  ['authorization', 1],
  ['content-type', 2],
  ['origin', 4],
])

/** The path and query as the client sent them; Express rewrites `url` below a mount point. */
function targetOf(request: IncomingMessage & { readonly originalUrl?: string }): string {
  const target = request.originalUrl ?? request.url ?? ''
  if (target.startsWith('/') || !URL.canParse(target)) return target
  // The absolute form (RFC 9112 section 3.2.2), as proxies send it.
  const { pathname, search } = new URL(target)
  return pathname + search
}

function routeTable(base: string, issuerPath: string, ready: IssuerRoutesOptions['ready']): ReadonlyMap<string, Route> {
  const metadata = get(metadataRoute)
  return new Map<string, Route>([
    // RFC 8414 section 3.1 puts the issuer's path after the well-known name, OpenID before it.
    [`/.well-known/oauth-authorization-server${issuerPath}`, metadata],
    [`${base}/.well-known/oauth-authorization-server`, metadata],
    [`${base}/.well-known/openid-configuration`, metadata],
    [base + endpointPaths.jwks, get(jwksRoute)],
    [base + endpointPaths.signIn, post(signInRoute, true)],
    [base + endpointPaths.signOut, post(signOutRoute, true)],
    [base + endpointPaths.status, get(statusRoute, { cors: true })],
    [
      base + endpointPaths.authorize,
      { ...get(authorizeRoute), methods: { GET: authorizeRoute, POST: authorizeRoute }, allow: 'GET, POST, OPTIONS' },
    ],
    [base + endpointPaths.token, post(tokenRoute, true)],
    [base + endpointPaths.revoke, post(revokeRoute, true)],
    [base + endpointPaths.introspect, post(introspectRoute, false)],
    [`${base}/oauth/errors`, get(errorsRoute)],
    [`${base}/healthz`, get(healthRoute)],
    [`${base}/readyz`, get(readyRoute(ready))],
  ])
}

/** A slow reader is cut rather than held for longer. What waits is the same memory for all readers. */
const maxWaitingBytes = 4_194_304

function feedRouteTable(base: string, feed: Issuer['feed'], maxStreams: number): readonly [string, Route][] {
  if (feed === undefined) return []
  const routes = feedRoutes(feed, createStreams(feed, { maxStreams, maxWaitingBytes }))
  const onlyGet = { methods: { GET: routes.stream }, allow: 'GET, OPTIONS' }
  return [
    [base + endpointPaths.revocations, get(routes.revocations)],
    [base + endpointPaths.revocationStream, get(routes.stream, onlyGet)],
    [base + endpointPaths.revocationJwks, get(routes.jwks)],
    [base + endpointPaths.acknowledge, post(routes.acknowledge, false)],
  ]
}

function readyRoute(also: IssuerRoutesOptions['ready']): Handler {
  return async (exchange) => {
    const own = await exchange.face.issuer.ready()
    const other = also === undefined ? own : await also().catch((): ReadyReport => ({ status: 'unready', checks: {} }))
    const statuses = [own.status, other.status]
    const status = statuses.includes('unready') ? 'unready' : statuses.includes('degraded') ? 'degraded' : 'ready'
    answer(exchange, status === 'unready' ? 503 : 200, { status, checks: { ...own.checks, ...other.checks } })
  }
}

function answerError(exchange: Exchange, thrown: unknown, onEvent: OnIssuerEvent | undefined): void {
  if (thrown instanceof PeerGone || exchange.response.headersSent) {
    exchange.response.destroy()
    return
  }
  const refused = thrown instanceof HttpRefused ? thrown : undefined
  const known = refused?.error ?? (isIssuerError(thrown) ? thrown : undefined)
  if (known === undefined) onEvent?.({ type: 'fault', part: 'http', error: thrown })
  const error = known ?? refusal('fault')
  const status = refused?.status ?? statusOf(error.code)
  if (status === 401) exchange.headers.push('WWW-Authenticate', 'Basic realm="countersign", charset="UTF-8"')
  if (error.retryAfterSeconds !== undefined) exchange.headers.push('Retry-After', String(error.retryAfterSeconds))
  if (refused?.hangUp === true) exchange.headers.push('Connection', 'close')
  answer(exchange, status, {
    ...refused?.members,
    error: error.code,
    error_description: error.message,
    error_uri: `${exchange.face.errorsUrl}#${error.code}`,
  })
}
