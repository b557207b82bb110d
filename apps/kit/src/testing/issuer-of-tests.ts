import { generateKeyPairSync, sign } from 'node:crypto'
import { type ConsumerLike, createGuard, type Guard } from '@countersign/guard'
import {
  type AccessTokenClaims,
  createVerifier,
  jwkThumbprint,
  type PublicJwk,
  signAccessTokenSync,
  staticKeys,
} from '@countersign/tokens'

/** An issuer without a server: a key, tokens made with it, and a guard that takes them. */
export interface TestIssuer<Scope extends string> {
  readonly issuer: string
  readonly jwks: { readonly keys: readonly object[] }
  readonly guard: Guard<Scope>
  /** With every scope of the consumer, unless told otherwise. */
  token(change?: Partial<AccessTokenClaims>): string
}

const issuer = 'https://auth.example.com'

export async function testIssuer<Scope extends string>(consumer: ConsumerLike<Scope>): Promise<TestIssuer<Scope>> {
  const { accessTokenLifeSeconds = 600 } = consumer
  const pair = generateKeyPairSync('ed25519')
  const exported = pair.publicKey.export({ format: 'jwk' })
  const kid = await jwkThumbprint({ ...exported } as unknown as PublicJwk)
  const jwks = { keys: [{ ...exported, kid, alg: 'EdDSA', use: 'sig' }] }
  const signSync = (data: Uint8Array): Uint8Array => sign(null, data, pair.privateKey)
  const signer = { kid, algorithm: 'EdDSA' as const, signSync, sign: async (data: Uint8Array) => signSync(data) }
  const { audience } = consumer
  const verifier = createVerifier({ issuer, audience, keys: staticKeys(jwks), maxLifeSeconds: accessTokenLifeSeconds })
  return {
    issuer,
    jwks,
    guard: createGuard({ verifier, issuer, consumer }),
    token(change = {}) {
      const iat = Math.floor(Date.now() / 1000)
      const claims = {
        iss: issuer,
        sub: 'ada',
        aud: audience,
        iat,
        exp: iat + accessTokenLifeSeconds,
        jti: crypto.randomUUID(),
        client_id: 'web',
        scope: Object.keys(consumer.scopes).join(' '),
      }
      return signAccessTokenSync({ ...claims, ...change }, signer)
    },
  }
}
