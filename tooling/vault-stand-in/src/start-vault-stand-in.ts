import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Answer, denied, type Json, refused } from './answer.ts'
import { createKvEngine } from './kv-engine.ts'
import { type Capability, createTokenTable, type Policy, type TokenTerms } from './token-table.ts'
import { createTransitEngine } from './transit-engine.ts'

export interface AppRole extends TokenTerms {
  readonly roleId: string
  readonly secretId: string
}

export interface KubernetesRole extends TokenTerms {
  readonly role: string
  /** The service account token that is accepted. */
  readonly jwt: string
}

export interface VaultStandInOptions {
  /** Unix seconds: token TTLs, `Date` headers, `server_time_utc`. @default the machine's */
  readonly now?: () => number
  /** Delays; the machine's timers unless given. */
  readonly after?: (ms: number, call: () => void) => unknown
  readonly policies?: Readonly<Record<string, Policy>>
  readonly appRoles?: readonly AppRole[]
  readonly kubernetesRoles?: readonly KubernetesRole[]
  /** Demanded of every request but `sys/health`, which knows no namespaces. @default none */
  readonly namespace?: string
}

/** What goes wrong. Set them while it runs. */
export interface Switches {
  /** 503 for everything. */
  sealed: boolean
  /** `ha`: forwards (health 429); `performance`: health 473, and reads answer 412; `dr`: health 472, serves nothing. */
  standby: false | 'ha' | 'performance' | 'dr'
  /** 429 for everything but health. */
  limited: boolean
  latencyMs: number
  /**
   * `reset`: closes the connection before anything is done. `after`: does what was asked, and then closes it. `body`:
   * breaks off in the middle of the answer.
   */
  cut: false | 'reset' | 'after' | 'body'
  /** Applies `cut`, `limited` and `latencyMs` to requests whose path matches. @default all */
  only: RegExp
  /** 307 to there, as a standby that does not forward. */
  redirectTo: string | undefined
  /** Answers signatures in this encoding, whatever was asked for. */
  encoding: 'as asked' | 'asn1' | 'jws'
  /** Last say over an answer. */
  tamper: ((path: string, answer: { status: number; body: unknown }) => { status: number; body: unknown }) | undefined
}

export interface RecordedRequest {
  readonly method: string
  /** Without `/v1/`. */
  readonly path: string
  readonly body: Json
  readonly token: string | undefined
  readonly namespace: string | undefined
}

export interface VaultStandIn {
  /** `http://127.0.0.1:PORT` */
  readonly address: string
  readonly rootToken: string
  readonly switches: Switches
  /** Everything that was asked, oldest first, 10,000 at most. */
  readonly requests: readonly RecordedRequest[]
  /** Requests that `latencyMs` keeps waiting, and that somebody still waits for. */
  readonly waiting: number
  issueToken(terms: TokenTerms): string
  revokeToken(token: string): void
  revokeAllTokens(): void
  /** Rotates a transit key as somebody else would. @returns the new latest version */
  rotateTransitKey(name: string): number
  /** Versions of a secret whose data is still there. */
  liveVersions(path: string): readonly { readonly version: number; readonly data: Json }[]
  /** Asks as root, past every switch. */
  asRoot(method: 'GET' | 'POST' | 'LIST' | 'DELETE', path: string, body?: Json): Answer
  close(): Promise<void>
}

const maxRecorded = 10_000
/** Vault's own limit is 32 MiB. */
const maxBodyBytes = 32 * 1024 * 1024

const capabilities: Readonly<Record<string, Capability>> = {
  GET: 'read',
  LIST: 'list',
  DELETE: 'delete',
  POST: 'update',
}

/**
 * Starts a server that speaks Vault's wire as far as Countersign uses it: transit with real Ed25519, KV version 2 at
 * `secret/`, AppRole, Kubernetes and token authentication, policies, `sys/health`. In memory, without TLS, on 127.0.0.1.
 */
export async function startVaultStandIn(options: VaultStandInOptions = {}): Promise<VaultStandIn> {
  const { now = () => Date.now() / 1000, after = (ms, call) => setTimeout(call, ms), namespace } = options
  const transit = createTransitEngine(now)
  const kv = createKvEngine(now)
  const tokens = createTokenTable(options.policies ?? {}, now)
  const rootToken = tokens.issue({ policies: ['root'], ttlSeconds: 0 })
  const requests: RecordedRequest[] = []
  const waiting = new Set<ServerResponse>()
  const switches: Switches = {
    sealed: false,
    standby: false,
    limited: false,
    latencyMs: 0,
    cut: false,
    only: /^/,
    redirectTo: undefined,
    encoding: 'as asked',
    tamper: undefined,
  }

  function health(query: URLSearchParams): Answer {
    const { sealed, standby } = switches
    const codes = {
      ha: query.has('standbyok') ? 200 : 429,
      performance: query.has('perfstandbyok') ? 200 : 473,
      dr: 472,
    }
    const status = sealed ? 503 : standby === false ? 200 : codes[standby]
    const body = {
      initialized: true,
      sealed,
      standby: standby !== false,
      performance_standby: standby === 'performance',
      replication_performance_mode: 'disabled',
      replication_dr_mode: standby === 'dr' ? 'secondary' : 'disabled',
      server_time_utc: Math.floor(now()),
      version: 'stand-in',
    }
    return { status, body }
  }

  function login(path: string, body: Json): Answer {
    if (path === 'auth/approle/login') {
      const role = options.appRoles?.find(
        ({ roleId, secretId }) => roleId === body.role_id && secretId === body.secret_id,
      )
      return role === undefined ? refused('invalid role or secret ID') : tokens.login(role)
    }
    const role = options.kubernetesRoles?.find((one) => one.role === body.role)
    if (role === undefined) return refused(`invalid role name "${String(body.role)}"`)
    return role.jwt === body.jwt ? tokens.login(role) : denied
  }

  function engine(method: string, path: string, body: Json, query: URLSearchParams): Answer {
    if (path.startsWith('transit/')) return transit.handle(method, path.slice('transit/'.length), body)
    if (path.startsWith('secret/')) return kv.handle(method, path.slice('secret/'.length), body, query)
    return refused(`no handler for route "${path}"`, 404)
  }

  function exists(path: string): boolean {
    if (path.startsWith('transit/keys/')) return transit.exists(path.slice('transit/'.length))
    return !path.startsWith('secret/data/') || kv.exists(path.slice('secret/'.length))
  }

  function answer({ method, path, body, token = '', ...request }: RecordedRequest, query: URLSearchParams): Answer {
    if (path === 'sys/health') return request.namespace === undefined ? health(query) : refused('unsupported path', 404)
    if (switches.sealed) return refused('Vault is sealed', 503)
    if (switches.standby === 'dr') return refused('path disabled in replication DR secondary mode', 503)
    if (request.namespace !== namespace) return refused(`no handler for route "${path}"`, 404)
    if (/^auth\/(approle|kubernetes)\/login$/.test(path)) return login(path, body)
    if (!tokens.isAlive(token)) return denied
    if (/^auth\/token\/(lookup|renew|revoke)-self$/.test(path)) {
      return tokens.self(path.slice('auth/token/'.length), token, body)
    }
    if (switches.standby === 'performance' && method === 'GET') {
      return refused('required index state not present', 412)
    }
    const wanted = method === 'POST' && !exists(path) ? 'create' : (capabilities[method] ?? 'update')
    if (!tokens.allows(token, path, wanted)) return denied
    return engine(method, path, body, query)
  }

  function reencode(said: Answer): Answer {
    const { encoding } = switches
    const data = (said.body as { data?: { signature?: unknown } } | undefined)?.data
    if (encoding === 'as asked' || typeof data?.signature !== 'string') return said
    const [vault, version, text = ''] = data.signature.split(':')
    const bytes = Buffer.from(text, 'base64')
    const signature = `${vault}:${version}:${bytes.toString(encoding === 'jws' ? 'base64url' : 'base64')}`
    return { ...said, body: { ...(said.body as Json), data: { ...data, signature } } }
  }

  function send(response: ServerResponse, said: Answer, cut: Switches['cut']): void {
    const { tamper } = switches
    const bytes = said.body === undefined ? '' : JSON.stringify(said.body)
    response.sendDate = false
    response.writeHead(said.status, {
      'Content-Type': 'application/json',
      'Cache-Control': 'no-store',
      'Content-Length': Buffer.byteLength(bytes),
      Date: new Date(now() * 1000).toUTCString(),
      ...(said.status === 429 && tamper === undefined ? { 'Retry-After': '1' } : {}),
    })
    if (cut !== 'body') {
      response.end(bytes)
      return
    }
    response.write(bytes.slice(0, Math.max(1, bytes.length >> 1)))
    setImmediate(() => response.destroy())
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://stand-in')
    const path = url.pathname
      .replace(/^\/v1\//, '')
      .split('/')
      .map(decodeURIComponent)
      .join('/')
    const listed = request.method === 'LIST' || url.searchParams.get('list') === 'true'
    const method = listed ? 'LIST' : request.method === 'PUT' ? 'POST' : (request.method ?? 'GET')
    const body = await readJson(request)
    const recorded: RecordedRequest = {
      method,
      path,
      body,
      token: headerOf(request, 'x-vault-token'),
      namespace: headerOf(request, 'x-vault-namespace'),
    }
    if (requests.length < maxRecorded) requests.push(recorded)
    const struck = switches.only.test(path)
    if (struck && switches.latencyMs > 0) {
      waiting.add(response)
      response.once('close', () => waiting.delete(response))
      await new Promise<void>((resolve) => after(switches.latencyMs, resolve))
      waiting.delete(response)
    }
    if (struck && switches.cut === 'reset') {
      request.socket.resetAndDestroy()
      return
    }
    if (switches.redirectTo !== undefined && path !== 'sys/health') {
      response.writeHead(307, { Location: `${switches.redirectTo}${url.pathname}` }).end()
      return
    }
    const limited = struck && switches.limited && path !== 'sys/health'
    const plain = limited
      ? refused('request path "" rate limit quota exceeded', 429)
      : answer(recorded, url.searchParams)
    const encoded = reencode(plain)
    const said = switches.tamper?.(path, { status: encoded.status, body: encoded.body }) ?? encoded
    if (struck && switches.cut === 'after') {
      request.socket.resetAndDestroy()
      return
    }
    send(response, said, struck ? switches.cut : false)
  }

  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy()
      else response.writeHead(400).end(JSON.stringify({ errors: [`failed to parse JSON input: ${String(error)}`] }))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo

  return {
    address: `http://127.0.0.1:${port}`,
    get waiting() {
      return waiting.size
    },
    rootToken,
    switches,
    requests,
    issueToken: (terms) => tokens.issue(terms),
    revokeToken: (token) => tokens.revoke(token),
    revokeAllTokens: () => tokens.revokeAll(),
    rotateTransitKey: (name) => transit.rotate(name),
    liveVersions: (path) => kv.liveVersions(path),
    asRoot: (method, path, body = {}) => engine(method, path, body, new URLSearchParams()),
    async close() {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name]
  return typeof value === 'string' ? value : undefined
}

async function readJson(request: IncomingMessage): Promise<Json> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request) {
    length += (chunk as Buffer).length
    if (length > maxBodyBytes) throw new Error('http: request body too large')
    chunks.push(chunk as Buffer)
  }
  return length === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString('utf8'))
}
