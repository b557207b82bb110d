import { expect, it } from 'vitest'
import { createVerifier, staticKeys, type Verifier, type VerifierOptions } from '../src/index.ts'
import { FakeClock } from './support/fake-clock.ts'
import { ed25519Key, goodClaims, NOW, tokenWith } from './support/issuer.ts'

const key = ed25519Key()
const token = tokenWith({ iat: NOW, exp: NOW + 60 }, key)

function setUp(options: Partial<VerifierOptions> = {}) {
  const clock = new FakeClock()
  const keys = staticKeys({ keys: [key.jwk] })
  const verifier = createVerifier({ issuer: goodClaims.iss, audience: goodClaims.aud, keys, clock, ...options })
  return { clock, verifier }
}
const refusal = (code: string): unknown => expect.objectContaining({ name: 'TokenRejected', code })

it('recalls the principal of a token that was accepted, and of no other', async () => {
  const { verifier } = setUp()
  expect(verifier.recall?.(token)).toBeUndefined()
  const principal = await verifier.verify(token)
  expect(verifier.recall?.(token)).toBe(principal)
  expect(verifier.recall?.(tokenWith({ jti: 'other' }, key))).toBeUndefined()
  for (const wrong of ['', 'x', `${token}x`, undefined]) expect(verifier.recall?.(wrong as string)).toBeUndefined()
})

it('recalls nothing without a cache', async () => {
  const { verifier } = setUp({ cache: false })
  await verifier.verify(token)
  expect(verifier.recall?.(token)).toBeUndefined()
})

it('throws for a token that has ended or was revoked, as verifying does', async () => {
  let isRevoked = false
  const { clock, verifier } = setUp({ isRevoked: () => isRevoked })
  await verifier.verify(token)
  isRevoked = true
  expect(() => verifier.recall?.(token)).toThrow(refusal('revoked'))
  isRevoked = false
  clock.advance(65)
  expect(() => verifier.recall?.(token)).toThrow(refusal('expired'))
  await expect(verifier.verify(token)).rejects.toEqual(refusal('expired'))
})

it.each<[string, (verifier: Verifier, verify: Verifier['verify']) => Verifier]>([
  ['spread', (verifier, verify) => ({ ...verifier, verify })],
  ['inherited', (verifier, verify) => Object.create(verifier, { verify: { value: verify } })],
  [
    'wrapped in a proxy',
    (verifier, verify) =>
      new Proxy(verifier, { get: (own, name) => (name === 'verify' ? verify : Reflect.get(own, name)) }),
  ],
])('passes no verifier by that was made from this one: %s', async (_how, make) => {
  const { verifier } = setUp()
  await verifier.verify(token)
  const stricter = make(verifier, () => Promise.reject(new Error('never')))
  expect(stricter.recall?.(token)).toBeUndefined()
  await expect(stricter.verify(token)).rejects.toThrow('never')
})
