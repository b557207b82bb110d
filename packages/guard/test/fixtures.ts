import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import {
  type AccessTokenClaims,
  type Clock,
  createVerifier,
  jwkThumbprint,
  type PublicJwk,
  signAccessTokenSync,
  staticKeys,
  type TokenSigner,
  type TokenVerifier,
} from '@countersign/tokens'

export const issuer = 'https://auth.example.com'
export const audience = 'agent-api'
export const NOW = 1_800_000_000

/** A clock that stands still until it is moved; timers run in order of their time. */
export interface TestClock extends Clock {
  /** Moves both clocks, and runs what is due. */
  advance(seconds: number): void
  /** A machine that slept, or a corrected clock: the wall clock jumps, timers notice nothing. */
  jump(seconds: number): void
  /** A process that was stopped: both clocks went on, timers could not run. */
  skip(seconds: number): void
  readonly timers: number
}

export function testClock(): TestClock {
  let wall = NOW
  let monotonicMs = 0
  let timers: { at: number; call: () => void }[] = []
  return {
    now: () => wall,
    monotonicMs: () => monotonicMs,
    after(ms, call) {
      const timer = { at: monotonicMs + ms, call }
      timers.push(timer)
      return () => {
        timers = timers.filter((other) => other !== timer)
      }
    },
    advance(seconds) {
      const end = monotonicMs + seconds * 1000
      for (;;) {
        const next = timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0]
        if (next === undefined) break
        timers = timers.filter((other) => other !== next)
        wall += Math.max(0, next.at - monotonicMs) / 1000
        monotonicMs = Math.max(monotonicMs, next.at)
        next.call()
      }
      wall += (end - monotonicMs) / 1000
      monotonicMs = end
    },
    jump(seconds) {
      wall += seconds
    },
    skip(seconds) {
      wall += seconds
      monotonicMs += seconds * 1000
    },
    get timers() {
      return timers.length
    },
  }
}

export interface TestKey {
  readonly jwk: PublicJwk
  readonly signer: TokenSigner
}

export async function makeKey(algorithm: 'EdDSA' | 'ES256' = 'EdDSA'): Promise<TestKey> {
  const pair =
    algorithm === 'EdDSA' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const exported = pair.publicKey.export({ format: 'jwk' })
  const kid = await jwkThumbprint({ ...exported } as unknown as PublicJwk)
  const jwk = { ...exported, kid, alg: algorithm, use: 'sig' } as unknown as PublicJwk
  return { jwk, signer: { kid, algorithm, ...signing(pair.privateKey, algorithm) } }
}

function signing(key: KeyObject, algorithm: 'EdDSA' | 'ES256') {
  const signSync = (data: Uint8Array): Uint8Array =>
    algorithm === 'EdDSA' ? sign(null, data, key) : sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' })
  return { signSync, sign: async (data: Uint8Array) => signSync(data) }
}

export function makeToken(key: TestKey, change: Partial<AccessTokenClaims> = {}): string {
  const claims: AccessTokenClaims = {
    iss: issuer,
    sub: 'user_1',
    aud: audience,
    iat: NOW,
    exp: NOW + 600,
    jti: crypto.randomUUID(),
    client_id: 'web',
    scope: 'agents:read chat:write',
    ...change,
  }
  return signAccessTokenSync(claims, key.signer)
}

export function makeVerifier(key: TestKey, clock: Clock): TokenVerifier {
  return createVerifier({ issuer, audience, keys: staticKeys({ keys: [key.jwk] }), clock })
}
