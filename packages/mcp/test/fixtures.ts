import { generateKeyPairSync, sign } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createGuard, type Guard, type GuardOptions, type Revocations } from '@countersign/guard'
import {
  type AccessTokenClaims,
  type Clock,
  createVerifier,
  jwkThumbprint,
  type Profile,
  type PublicJwk,
  rfc9068,
  signAccessTokenSync,
  staticKeys,
  systemClock,
} from '@countersign/tokens'
import type { McpEvent } from '../src/index.ts'

export const issuer = 'https://auth.example.com'
export const scopes = {
  'code:read': {},
  'code:write': {},
  'code:run': { sideEffects: true },
  'code:admin': {},
} as const
export type Scope = keyof typeof scopes
export const consumer = { audience: 'coder', scopes }

const pair = generateKeyPairSync('ed25519')
const exported = pair.publicKey.export({ format: 'jwk' })
const kid = await jwkThumbprint({ ...exported } as unknown as PublicJwk)
export const jwk = { ...exported, kid, alg: 'EdDSA', use: 'sig' }
const signSync = (data: Uint8Array): Uint8Array => sign(null, data, pair.privateKey)
const signer = { kid, algorithm: 'EdDSA' as const, signSync, sign: async (data: Uint8Array) => signSync(data) }

export function makeToken(scope = 'code:read', change: Partial<AccessTokenClaims> = {}): string {
  const now = Math.floor(Date.now() / 1000)
  const claims: AccessTokenClaims = {
    ...{ iss: issuer, sub: 'user_1', aud: consumer.audience, iat: now, exp: now + 600, client_id: 'editor', scope },
    jti: crypto.randomUUID(),
    ...change,
  }
  return signAccessTokenSync(claims, signer)
}

/** A token that no issuer of ours would sign: several audiences, as under a foreign profile. */
export function signLoosely(claims: Record<string, unknown>): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const data = `${part({ alg: 'EdDSA', typ: 'at+jwt', kid })}.${part(claims)}`
  return `${data}.${Buffer.from(signSync(Buffer.from(data))).toString('base64url')}`
}

export function makeGuard(
  more: Partial<Pick<GuardOptions<Scope>, 'revocations' | 'onEvent' | 'resource'>> & {
    readonly profile?: Profile
    readonly issuer?: string
    readonly clock?: Clock
  } = {},
): Guard<Scope> {
  const { profile = rfc9068, issuer: from = issuer, clock = systemClock, ...options } = more
  const keys = staticKeys({ keys: [jwk] })
  const verifier = createVerifier({ issuer: from, audience: consumer.audience, keys, profile, clock })
  return createGuard<Scope>({ verifier, issuer: from, consumer, clock, ...options })
}

/** The machine's clock, until it is moved ahead: then what is due is called. */
export function movableClock(): Clock & { advance(seconds: number): void } {
  let ahead = 0
  const waiting = new Set<{ readonly atMs: number; readonly call: () => void }>()
  const monotonicMs = () => performance.now() + ahead * 1000
  return {
    now: () => Date.now() / 1000 + ahead,
    monotonicMs,
    after(ms, call) {
      const one = { atMs: monotonicMs() + ms, call }
      waiting.add(one)
      return () => waiting.delete(one)
    },
    advance(seconds) {
      ahead += seconds
      for (const one of waiting) {
        if (one.atMs > monotonicMs()) continue
        waiting.delete(one)
        one.call()
      }
    },
  }
}

/** Revocations by subject, told at once. */
export function makeRevocations(): Revocations & { revoke(subject: string): void } {
  const revoked = new Set<string>()
  const listeners = new Set<Parameters<Revocations['onChange']>[0]>()
  return {
    isRevoked: ({ subject }) => revoked.has(subject),
    onChange(call) {
      listeners.add(call)
      return () => listeners.delete(call)
    },
    revoke(subject) {
      revoked.add(subject)
      for (const call of listeners) call(undefined)
    },
  }
}

export type NodeHandler = (request: IncomingMessage, response: ServerResponse) => unknown

/** Serves on loopback for as long as `use` takes. The handler is made once the address is known. */
export async function serving(
  make: (origin: string) => NodeHandler | Promise<NodeHandler>,
  use: (origin: string) => Promise<void>,
): Promise<void> {
  let handler: NodeHandler | undefined
  const server = createServer((request, response) => handler?.(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const origin = `http://127.0.0.1:${address.port}`
  try {
    handler = await make(origin)
    await use(origin)
  } finally {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
}

export const text = (words: string) => ({ content: [{ type: 'text' as const, text: words }] })

export function collector(): { readonly events: McpEvent[]; readonly onEvent: (event: McpEvent) => void } {
  const events: McpEvent[] = []
  return { events, onEvent: (event) => events.push(event) }
}
