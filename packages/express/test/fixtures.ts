import { generateKeyPairSync, sign } from 'node:crypto'
import { createServer } from 'node:http'
import { createGuard, type Guard, type GuardOptions } from '@countersign/guard'
import {
  type AccessTokenClaims,
  createVerifier,
  jwkThumbprint,
  type PublicJwk,
  signAccessTokenSync,
  staticKeys,
} from '@countersign/tokens'
import type { Express } from 'express'

export const issuer = 'https://auth.example.com'
export const consumer = {
  audience: 'agent-api',
  scopes: { 'agents:read': {}, 'agents:write': {}, 'chat:write': { sensitive: true } },
  resource: 'https://api.example.com/v1',
}
export type Scope = keyof typeof consumer.scopes

const pair = generateKeyPairSync('ed25519')
const exported = pair.publicKey.export({ format: 'jwk' })
const kid = await jwkThumbprint({ ...exported } as unknown as PublicJwk)
const jwk = { ...exported, kid, alg: 'EdDSA', use: 'sig' }
const signSync = (data: Uint8Array): Uint8Array => sign(null, data, pair.privateKey)
const signer = { kid, algorithm: 'EdDSA' as const, signSync, sign: async (data: Uint8Array) => signSync(data) }

export function makeToken(change: Partial<AccessTokenClaims> = {}): string {
  const now = Math.floor(Date.now() / 1000)
  const claims: AccessTokenClaims = {
    iss: issuer,
    sub: 'user_1',
    aud: consumer.audience,
    iat: now,
    exp: now + 600,
    jti: crypto.randomUUID(),
    client_id: 'web',
    scope: 'agents:read chat:write',
    ...change,
  }
  return signAccessTokenSync(claims, signer)
}

export function makeGuard(more: Partial<Pick<GuardOptions<Scope>, 'revocations' | 'introspect'>> = {}): Guard<Scope> {
  const verifier = createVerifier({ issuer, audience: consumer.audience, keys: staticKeys({ keys: [jwk] }) })
  return createGuard<Scope>({ verifier, issuer, consumer, ...more })
}

/** Serves the app on loopback for as long as `use` takes. */
export async function serving(app: Express, use: (origin: string) => Promise<void>): Promise<void> {
  const server = createServer(app)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  try {
    await use(`http://127.0.0.1:${address.port}`)
  } finally {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
}

export const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })
