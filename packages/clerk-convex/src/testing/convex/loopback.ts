import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { AuthConfig, GenericDataModel } from 'convex/server'
import type { TestConvexForDataModel } from 'convex-test'
import { createDeploymentKey, type DeploymentKey } from './deployment-key.ts'
import { type AnyCaller, type FunctionKind, publicFunctions } from './functions.ts'
import { convexTokens } from './identity.ts'
import type { ConvexModules } from './isolation/world.ts'
import { type Answered, type Session, SyncConnection, type SyncServer } from './sync-connection.ts'
import { withSignJwt, withToken } from './with-token.ts'

export interface ConvexLoopbackOptions {
  /** What `convex/auth.config.ts` exports. */
  readonly auth: AuthConfig
  /** Those that `t` was made with: only what is public in them is served. */
  readonly modules: ConvexModules
  /** Asks for keys of providers. @default the global one */
  readonly fetch?: typeof globalThis.fetch
  /** Seconds since the Unix epoch. @default the system's clock */
  readonly now?: () => number
  /** Milliseconds between looks for what scheduled functions and `t.run` wrote. @default 100 */
  readonly followMs?: number
  /** Ports of the functions and of the HTTP actions. @default free ones */
  readonly ports?: { readonly cloud: number; readonly site: number }
}

/** A deployment on 127.0.0.1, as far as Convex's own clients can tell. */
export interface ConvexLoopback {
  /** For `ConvexClient` and `ConvexHttpClient`; `CONVEX_CLOUD_URL` of the functions. */
  readonly url: string
  /** Where `convex/http.ts` answers. */
  readonly siteUrl: string
  /** What `ctx.auth.signJwt` signs with. */
  readonly key: DeploymentKey
  /** Cuts every connection and takes no new one, until told otherwise. */
  setOutage(isOut: boolean): void
  /** Ends both servers and every connection. */
  close(): Promise<void>
}

/** Convex's own status for a function that threw. */
const functionFailed = 560
/** Most bytes of a request's body. */
const mostBytes = 8 * 1_048_576

/**
 * Serves the functions of `t` over HTTP and over the sync protocol, so that the real `ConvexHttpClient` and
 * `ConvexClient` talk to them: live queries, mutations, actions, signing in and out, refreshed tokens, reconnection.
 * What it does is what the clients need; it is not Convex.
 */
export async function convexLoopback<DataModel extends GenericDataModel>(
  t: TestConvexForDataModel<DataModel>,
  options: ConvexLoopbackOptions,
): Promise<ConvexLoopback> {
  const { now = () => Date.now() / 1_000, followMs = 100, ports = { cloud: 0, site: 0 }, fetch } = options
  // An optional peer: who tests a guard with `fakeClerk` alone has none.
  const { WebSocketServer } = await import('ws')
  const functions = publicFunctions(options.modules)
  const tokens = convexTokens(options.auth, { now, ...(fetch === undefined ? {} : { fetch }) })
  const connections = new Set<SyncConnection>()
  const answered = new Map<string, Promise<Answered>>()
  let isOut = false
  let ticks = 1n

  const cloud = await listen(
    (request, response) => void guarded(response, () => answerCloud(request, response)),
    ports.cloud,
  )
  const site = await listen(
    (request, response) => void guarded(response, () => answerSite(request, response)),
    ports.site,
  )
  const key = await createDeploymentKey({ issuer: cloud.url, now })
  // Functions are named at run time here, and so is what they read.
  const nobodyCaller = await withSignJwt(t as unknown as AnyCaller, key)
  const nobody: Session = { caller: nobodyCaller, expiresAt: Number.POSITIVE_INFINITY }

  const authenticate = async (token: string, base: AnyCaller = nobodyCaller): Promise<Session | string> => {
    const outcome = await tokens.check(token)
    if ('fault' in outcome) return `Could not validate token: ${outcome.fault}`
    const caller = await withSignJwt(await withToken(base, { token, identity: outcome.identity }), key)
    return { caller, expiresAt: outcome.expiresAt }
  }

  /** The caller of one HTTP request, or what is wrong with its token. */
  const callerOf = async ({ headers, socket }: IncomingMessage): Promise<AnyCaller | string> => {
    const userAgent = headers['user-agent'] ?? null
    const base = nobodyCaller.withRequestMetadata({ ip: socket.remoteAddress ?? null, userAgent })
    const token = /^Bearer +(.+)$/i.exec(headers.authorization ?? '')?.[1]
    if (token === undefined) return withSignJwt(base, key)
    const session = await authenticate(token, base)
    return typeof session === 'string' ? session : session.caller
  }

  const server: SyncServer = {
    functions,
    nobody,
    now,
    authenticate: (token) => authenticate(token),
    time: () => ticks,
    async written() {
      ticks++
      // Who has gone meanwhile is not to be told.
      await Promise.allSettled([...connections].map((one) => one.refresh()))
    },
    once(requestKey, run) {
      const answer = answered.get(requestKey) ?? run()
      answered.set(requestKey, answer)
      return answer
    },
  }

  const answerCloud = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { pathname } = new URL(request.url ?? '/', cloud.url)
    if (request.method === 'OPTIONS') return send(response, 204)
    if (pathname === '/.well-known/jwks.json') return send(response, 200, key.jwks)
    if (pathname === '/version') return send(response, 200, 'loopback')
    if (pathname === '/api/query_ts') return send(response, 200, { ts: String(ticks) })
    const kind = kinds.get(pathname)
    if (kind === undefined || request.method !== 'POST')
      return send(response, 404, { code: 'NotFound', message: pathname })
    const { path, args } = JSON.parse(String(await readBody(request)))
    const caller = await callerOf(request)
    if (typeof caller === 'string') return send(response, 401, { code: 'InvalidAuthHeader', message: caller })
    const result = await functions.run(caller, kind, String(path), args)
    if (kind !== 'query') await server.written()
    if ('value' in result) return send(response, 200, { status: 'success', value: result.value, logLines: [] })
    send(response, functionFailed, { status: 'error', ...result, logLines: [] })
  }

  const answerSite = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await readBody(request)
    const caller = await callerOf(request)
    const headers = new Headers()
    for (const [name, value] of Object.entries(request.headers)) headers.set(name, [value ?? ''].flat().join(', '))
    const answer = await (typeof caller === 'string' ? nobodyCaller : caller).fetch(request.url ?? '/', {
      method: request.method ?? 'GET',
      headers,
      ...(body.byteLength === 0 ? {} : { body: new Uint8Array(body) }),
    })
    response.writeHead(answer.status, [...answer.headers].flat())
    response.end(Buffer.from(await answer.arrayBuffer()))
    await server.written()
  }

  const sockets = new WebSocketServer({ server: cloud.server, maxPayload: mostBytes })
  sockets.on('connection', (socket) => {
    const connection = new SyncConnection(socket, server)
    connections.add(connection)
    socket.on('close', () => connections.delete(connection))
    socket.on('error', () => socket.terminate())
  })
  for (const one of [cloud.server, site.server]) one.on('connection', (socket) => void (isOut && socket.destroy()))

  /** Commits that came by no client: scheduled functions, and `t.run` of a test. */
  let seen = 0n
  const follow = setInterval(async () => {
    const commit = await nobodyCaller.query(async (ctx) => ctx.meta.getSnapshotTs())
    const isNew = commit !== seen
    seen = commit
    if (isNew && connections.size > 0) await server.written()
  }, followMs)
  follow.unref()

  const cut = (): void => {
    for (const client of sockets.clients) client.terminate()
    for (const one of [cloud.server, site.server]) one.closeAllConnections()
  }

  return {
    url: cloud.url,
    siteUrl: site.url,
    key,
    setOutage(out) {
      isOut = out
      if (out) cut()
    },
    async close() {
      clearInterval(follow)
      cut()
      sockets.close()
      await Promise.all([cloud.server, site.server].map((one) => new Promise((done) => one.close(done))))
    },
  }
}

const kinds: ReadonlyMap<string, FunctionKind> = new Map([
  ['/api/query', 'query'],
  ['/api/query_at_ts', 'query'],
  ['/api/mutation', 'mutation'],
  ['/api/action', 'action'],
])

async function listen(
  handle: RequestListener,
  port: number,
): Promise<{ readonly server: Server; readonly url: string }> {
  const server = createServer(handle)
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const taken = typeof address === 'object' && address !== null ? address.port : port
  return { server, url: `http://127.0.0.1:${taken}` }
}

async function guarded(response: ServerResponse, answer: () => Promise<void>): Promise<void> {
  try {
    await answer()
  } catch (error) {
    if (response.headersSent) response.destroy()
    else
      send(response, error instanceof SyntaxError ? 400 : 500, { code: 'InternalServerError', message: String(error) })
  }
}

/** Any page may ask: what it may see, its token says. */
function send(response: ServerResponse, status: number, body?: object | string): void {
  response.writeHead(status, {
    'Access-Control-Allow-Origin': '*',
    'Access-Control-Allow-Headers': 'authorization, content-type, convex-client',
    'Access-Control-Allow-Methods': 'GET, POST, OPTIONS',
    'Content-Type': 'application/json',
  })
  response.end(body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body))
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of request) {
    bytes += part.byteLength
    if (bytes > mostBytes) throw new SyntaxError(`The body has more than ${mostBytes} bytes.`)
    parts.push(part)
  }
  return Buffer.concat(parts)
}
