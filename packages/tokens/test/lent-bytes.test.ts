import { generateKeyPairSync, sign } from 'node:crypto'
import { expect, it } from 'vitest'
import {
  type AccessTokenClaims,
  createVerifier,
  importPublicJwk,
  jwkThumbprint,
  type KeySource,
  type PublicJwk,
  signAccessToken,
} from '../src/index.ts'

const issuer = 'https://auth.example.com'
const now = Math.floor(Date.now() / 1000)
const claims = (index: number): AccessTokenClaims => ({
  iss: issuer,
  sub: `user_${index}`,
  aud: 'agent-api',
  iat: now,
  exp: now + 300,
  jti: `token-${index}`,
  client_id: 'web',
  scope: '',
})

// On Node the engine's bytes are a Buffer's, whose `slice` is no copy: tokens under way at the same time overwrote each
// other's, and all but the last were refused.
it('keeps tokens apart that wait at the same time, for a slow signer and for a slow key', async () => {
  const pair = generateKeyPairSync('ed25519')
  const exported = pair.publicKey.export({ format: 'jwk' })
  const kid = await jwkThumbprint({ ...exported } as unknown as PublicJwk)
  const key = importPublicJwk({ ...exported, kid, alg: 'EdDSA' })
  const slowSigner = {
    kid,
    algorithm: 'EdDSA' as const,
    sign: async (data: Uint8Array) => {
      await new Promise((resolve) => setImmediate(resolve))
      return new Uint8Array(sign(null, data, pair.privateKey))
    },
  }
  const tokens = await Promise.all(Array.from({ length: 10 }, (_, index) => signAccessToken(claims(index), slowSigner)))

  let held: PublicJwk | undefined
  const slowKeys: KeySource = {
    get: () => held,
    load: async () => {
      await new Promise((resolve) => setImmediate(resolve))
      held = key
      return held
    },
  }
  const verifier = createVerifier({ issuer, audience: 'agent-api', keys: slowKeys })
  const principals = await Promise.all(tokens.map((token) => verifier.verify(token)))
  expect(principals.map(({ subject }) => subject)).toEqual(tokens.map((_, index) => `user_${index}`))
})
