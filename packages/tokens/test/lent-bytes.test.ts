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

// A reader of keys reports while it is asked for one, and an observer may verify another token meanwhile.
it('checks the signature of its own token, whatever is verified while its key is looked up', async () => {
  const pair = generateKeyPairSync('ed25519')
  const jwk = importPublicJwk({ ...pair.publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'EdDSA' })
  const signSync = (data: Uint8Array): Uint8Array => new Uint8Array(sign(null, data, pair.privateKey))
  const signer = { kid: 'k1', algorithm: 'EdDSA' as const, signSync, sign: async (data: Uint8Array) => signSync(data) }
  const [one = '', two = ''] = await Promise.all([claims(1), claims(2)].map((each) => signAccessToken(each, signer)))

  let meanwhile: string | undefined
  const keys: KeySource = {
    get: () => {
      const token = meanwhile
      meanwhile = undefined
      if (token !== undefined) verifier.verifySync(token)
      return jwk
    },
    load: async () => jwk,
  }
  const verifier = createVerifier({ issuer, audience: 'agent-api', keys, cache: false })
  const crossed = one.slice(0, one.lastIndexOf('.')) + two.slice(two.lastIndexOf('.'))
  for (const verify of [async (token: string) => verifier.verifySync(token), verifier.verify]) {
    meanwhile = two
    expect(await verify(one)).toMatchObject({ subject: 'user_1' })
    meanwhile = one
    await expect(verify(crossed)).rejects.toMatchObject({ code: 'bad_signature' })
  }
})
