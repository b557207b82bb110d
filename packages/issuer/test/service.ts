import { randomBytes } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type ConsumerMatrix, defineConsumers } from '@countersign/consumers'
import { createKeyRing, type KeyRing, type KeyRingOptions } from '@countersign/keys'
import { memoryKeyRingStore } from '@countersign/keys/testing'
import type { Clock } from '@countersign/tokens'
import { type IssuerRoutesOptions, issuerRoutes, type RouteHandler } from '../src/express.ts'
import {
  createIssuer,
  type Issuer,
  type IssuerAuditEvent,
  type IssuerEvent,
  type IssuerLimits,
  type IssuerStores,
  type NewClient,
  type SubjectVerifier,
} from '../src/index.ts'
import { memoryIssuerStores } from '../src/testing.ts'

export const consumers = defineConsumers({
  'agent-api': {
    scopes: ['agents:read', 'chat:write'],
    accessTokenLifeSeconds: 600,
    obtainedBy: ['sign-in', 'client-credentials'],
    refresh: 'body',
    resource: 'https://api.example.com/agents',
  },
  'analytics-service': { scopes: ['reports:read', 'reports:write'], obtainedBy: 'client-credentials' },
  'web-api': { scopes: ['pages:read'], obtainedBy: 'sign-in', refresh: 'cookie' },
  'short-lived': { scopes: ['kiosk:use'], obtainedBy: 'sign-in', refresh: 'none' },
  'billing-worker': { scopes: ['jobs:run'], obtainedBy: 'exchange' },
})

export interface TestClock extends Clock {
  pass(seconds: number): void
}

export function testClock(): TestClock {
  let now = Math.floor(Date.now() / 1000)
  let waiting: { at: number; call: () => void }[] = []
  return {
    now: () => now,
    monotonicMs: () => now * 1000,
    after(ms, call) {
      const entry = { at: now + ms / 1000, call }
      waiting.push(entry)
      return () => {
        waiting = waiting.filter((one) => one !== entry)
      }
    },
    pass(seconds) {
      now += seconds
      const due = waiting.filter(({ at }) => at <= now)
      waiting = waiting.filter(({ at }) => at > now)
      for (const { call } of due) call()
    },
  }
}

export function memoryKek(): NonNullable<KeyRingOptions['kek']> {
  const kek = { id: 'kek-of-this-test', secret: new Uint8Array(randomBytes(32)) }
  return { current: async () => kek, find: async (id) => (id === kek.id ? kek : undefined) }
}

export interface Service {
  readonly url: string
  readonly issuer: Issuer
  readonly stores: IssuerStores
  readonly clock: TestClock
  readonly rings: readonly KeyRing[]
  readonly feedRing: KeyRing | undefined
  readonly events: IssuerEvent[]
  readonly audits: IssuerAuditEvent[]
  readonly server: Server
  /** The next and all further records are refused with this. */
  failAudit(error: Error | undefined): void
  /** A form POST. */
  post(path: string, form: Record<string, string>, headers?: Record<string, string>): Promise<Answer>
  postJson(path: string, body: unknown, headers?: Record<string, string>): Promise<Answer>
  client(fields?: Partial<NewClient>): Promise<{ id: string; name: string; secret: string }>
  close(): Promise<void>
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // biome-ignore lint/suspicious/noExplicitAny: answers are asserted field by field
  readonly body: any
}

export interface ServiceOptions {
  readonly issuerPath?: string
  /** Instead of http://127.0.0.1:PORT. */
  readonly issuerUrl?: string
  readonly matrix?: ConsumerMatrix
  readonly stores?: IssuerStores
  readonly limits?: IssuerLimits
  readonly subjectVerifiers?: readonly SubjectVerifier[]
  readonly routes?: IssuerRoutesOptions
  /** With a revocation feed. */
  readonly feed?: boolean
  readonly algorithms?: readonly ('EdDSA' | 'ES256')[]
  /** @default 600 */
  readonly lifeSeconds?: number
  readonly maxOverlapSeconds?: number
  readonly wrap?: (handler: RouteHandler) => RouteHandler
}

/** A token service over real HTTP on 127.0.0.1, with stores in memory, a real key ring and a clock of its own. */
export async function startService(options: ServiceOptions = {}): Promise<Service> {
  let handler: RouteHandler = (_request, response) => response.destroy()
  const server = createServer(
    { requestTimeout: 1_000, headersTimeout: 500, connectionsCheckingInterval: 100 },
    (request, response) => handler(request, response),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  const issuerUrl = options.issuerUrl ?? url + (options.issuerPath ?? '')
  const rings = await Promise.all(
    (options.algorithms ?? ['EdDSA']).map((algorithm) =>
      createKeyRing({
        store: memoryKeyRingStore(),
        kek: memoryKek(),
        issuer: issuerUrl,
        name: `tokens-${algorithm}`,
        algorithm,
        policy: {
          accessTokenLifeSeconds: options.lifeSeconds ?? 600,
          ...(options.maxOverlapSeconds === undefined ? {} : { maxOverlapSeconds: options.maxOverlapSeconds }),
        },
        scheduler: false,
      }),
    ),
  )
  const clock = testClock()
  const events: IssuerEvent[] = []
  const audits: IssuerAuditEvent[] = []
  let auditFault: Error | undefined
  const stores = options.stores ?? memoryIssuerStores(clock.now)
  const feedRing =
    options.feed === true
      ? await createKeyRing({
          store: memoryKeyRingStore(),
          kek: memoryKek(),
          issuer: issuerUrl,
          name: 'feed',
          purpose: 'feed',
          policy: { accessTokenLifeSeconds: 60 },
          scheduler: false,
        })
      : undefined
  const issuer = createIssuer({
    issuer: issuerUrl,
    rings,
    consumers: options.matrix ?? consumers,
    stores,
    clock,
    audit: {
      async record(event) {
        if (auditFault !== undefined) throw auditFault
        audits.push(event)
      },
    },
    onEvent: (event) => events.push(event),
    ...(feedRing === undefined ? {} : { feed: { ring: feedRing } }),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    ...(options.subjectVerifiers === undefined ? {} : { subjectVerifiers: options.subjectVerifiers }),
  })
  const routes = issuerRoutes(issuer, { onEvent: (event) => events.push(event), ...options.routes })
  handler = options.wrap?.(routes) ?? routes

  async function send(path: string, init: RequestInit): Promise<Answer> {
    const response = await fetch(url + path, { redirect: 'manual', ...init })
    const text = await response.text()
    const isJson = response.headers.get('content-type')?.startsWith('application/json') === true
    return { status: response.status, headers: response.headers, text, body: isJson ? JSON.parse(text) : undefined }
  }

  return {
    url,
    issuer,
    stores,
    clock,
    rings,
    feedRing,
    events,
    audits,
    server,
    failAudit(error) {
      auditFault = error
    },
    post: (path, form, headers = {}) => send(path, { method: 'POST', body: new URLSearchParams(form), headers }),
    postJson: (path, body, headers = {}) =>
      send(path, {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json', ...headers },
      }),
    async client(fields = {}) {
      const { client, secret } = await issuer.clients.add({
        name: 'nightly-etl',
        audiences: ['agent-api'],
        grants: ['client_credentials'],
        ...fields,
      })
      return { id: client.id, name: client.name, secret: secret ?? '' }
    },
    async close() {
      await issuer.close()
      await Promise.all([...rings, ...(feedRing === undefined ? [] : [feedRing])].map((ring) => ring.close()))
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

export const password = 'correct horse battery staple'

/** A command-line client, `ada`, and what signs her in. */
export async function withAda(service: Service): Promise<{ clientId: string; userId: string }> {
  const { id } = await service.client({
    name: 'countersign-cli',
    type: 'public',
    grants: ['sign_in', 'refresh_token'],
    audiences: ['agent-api'],
  })
  const user = await service.issuer.users.add({ identifier: 'ada@example.com', password })
  return { clientId: id, userId: user.id }
}

export function signInBody(fields: Record<string, unknown> = {}): Record<string, unknown> {
  return { identifier: 'ada@example.com', secret: password, client_id: 'countersign-cli', ...fields }
}

export function claimsOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'))
}

export function basic(id: string, secret: string): string {
  return `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`
}

export function storageError(code: string): Error {
  return Object.assign(new Error(`sqlite says ${code} at /var/lib/secret-path`), { name: 'StorageError', code })
}

// biome-ignore lint/suspicious/noExplicitAny: answers are asserted field by field
export async function jsonOf(response: Response): Promise<any> {
  return response.json()
}
