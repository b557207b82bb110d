import { generateKeyPairSync, sign } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import { createGuard, type Guard, type Revocations } from '@countersign/guard'
import {
  type AccessTokenClaims,
  type Clock,
  createVerifier,
  jwkThumbprint,
  type Principal,
  type PublicJwk,
  signAccessTokenSync,
  staticKeys,
} from '@countersign/tokens'
import { afterEach } from 'vitest'
import { WebSocket } from 'ws'
import {
  type WebSocketAuth,
  type WebSocketAuthOptions,
  type WebSocketEvent,
  webSocketAuth,
} from '../src/node/server.ts'

export const issuer = 'https://auth.example.com'
export const consumer = {
  audience: 'agent-api',
  scopes: { 'agents:read': {}, 'chat:write': { sensitive: true, sideEffects: true } },
} as const
export type Scope = keyof typeof consumer.scopes

const pair = generateKeyPairSync('ed25519')
const exported = pair.publicKey.export({ format: 'jwk' })
const kid = await jwkThumbprint({ ...exported } as unknown as PublicJwk)
export const jwks = { keys: [{ ...exported, kid, alg: 'EdDSA', use: 'sig' }] }
const signSync = (data: Uint8Array): Uint8Array => sign(null, data, pair.privateKey)
const signer = { kid, algorithm: 'EdDSA' as const, signSync, sign: async (data: Uint8Array) => signSync(data) }

export const seconds = (): number => Math.floor(Date.now() / 1000)

export function makeToken(change: Partial<AccessTokenClaims> & Record<string, unknown> = {}): string {
  const now = seconds()
  return signAccessTokenSync(
    {
      iss: issuer,
      sub: 'ada',
      aud: consumer.audience,
      iat: now,
      exp: now + 600,
      jti: crypto.randomUUID(),
      client_id: 'web',
      scope: 'agents:read chat:write',
      ...change,
    },
    signer,
  )
}

/** Revocation news that a test makes. */
export interface TestRevocations extends Revocations {
  revoke(matches: (principal: Principal) => boolean): void
}

export function testRevocations(): TestRevocations {
  const revoked: ((principal: Principal) => boolean)[] = []
  const listeners = new Set<() => void>()
  return {
    isRevoked: (principal) => revoked.some((matches) => matches(principal)),
    onChange(call) {
      listeners.add(call)
      return () => listeners.delete(call)
    },
    revoke(matches) {
      revoked.push(matches)
      for (const call of listeners) call()
    },
  }
}

export function makeGuard(more: { revocations?: Revocations; clock?: Clock } = {}): Guard<Scope> {
  const clock = more.clock === undefined ? {} : { clock: more.clock }
  const verifier = createVerifier({
    issuer,
    audience: consumer.audience,
    keys: staticKeys(jwks),
    maxLifeSeconds: 8 * 86_400,
    ...clock,
  })
  return createGuard<Scope>({ verifier, issuer, consumer, ...more })
}

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

/** Ends something when the test is over. */
export function atEnd(end: () => unknown): void {
  ends.push(end)
}

export interface World<Type extends string> {
  readonly server: Server
  readonly sockets: WebSocketAuth<Scope, Type>
  readonly events: WebSocketEvent[]
  readonly url: string
  readonly port: number
}

export type Options<Type extends string> = Partial<WebSocketAuthOptions<Scope, Type>>

/** A real server on loopback with the package mounted at `/ws`. */
export async function serve<const Type extends string>(options: Options<Type> = {}): Promise<World<Type>> {
  const server = createServer((_request, response) => response.end('http'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const events: WebSocketEvent[] = []
  const sockets = webSocketAuth<Scope, Type>({
    guard: makeGuard(),
    onEvent: (event) => events.push(event),
    ...options,
  } as WebSocketAuthOptions<Scope, Type>)
  sockets.mount(server, '/ws')
  atEnd(async () => {
    await sockets.close({ graceMs: 0 })
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return { server, sockets, events, url: `ws://127.0.0.1:${address.port}/ws`, port: address.port }
}

/** A client that does only what a test says. */
export interface RawClient {
  readonly ws: WebSocket
  readonly closed: Promise<{ code: number; reason: string }>
  /** The next frame that came, in order. */
  next(): Promise<Record<string, unknown>>
  readonly waiting: number
  send(frame: unknown): void
}

export function rawClient(url: string, protocols: string[] = ['wsauth.v1'], options = {}): RawClient {
  const ws = new WebSocket(url, protocols, options)
  const frames: string[] = []
  const waiters: (() => void)[] = []
  let isClosed = false
  ws.on('error', () => {})
  ws.on('message', (data) => {
    frames.push(String(data))
    waiters.shift()?.()
  })
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    ws.on('close', (code, reason) => {
      isClosed = true
      resolve({ code, reason: String(reason) })
      for (const wake of waiters.splice(0)) wake()
    })
  })
  atEnd(() => ws.terminate())
  return {
    ws,
    closed,
    async next() {
      while (frames.length === 0) {
        if (isClosed) throw new Error('closed')
        await new Promise<void>((resolve) => waiters.push(resolve))
      }
      return JSON.parse(frames.shift() ?? '')
    },
    get waiting() {
      return frames.length
    },
    send(frame) {
      const text = typeof frame === 'string' ? frame : JSON.stringify(frame)
      if (ws.readyState === ws.CONNECTING) ws.once('open', () => ws.send(text))
      else ws.send(text)
    },
  }
}

/** Connects and authenticates by `wsauth.v1`. */
export async function connected(
  url: string,
  token: string = makeToken(),
): Promise<RawClient & { ok: Record<string, unknown> }> {
  const client = rawClient(url)
  await client.next()
  client.send({ type: 'auth', token })
  const ok = await client.next()
  if (ok.type !== 'auth.ok') throw new Error(`got ${JSON.stringify(ok)}`)
  return Object.assign(client, { ok })
}
