import { describe, expect, it } from 'vitest'
import {
  type Algorithm,
  allowInsecureIssuer,
  createVerifier,
  type Profile,
  rfc9068,
  staticKeys,
  type TokenVerifier,
  type VerifierOptions,
} from '../src/index.ts'
import { FakeClock } from './support/fake-clock.ts'
import { ed25519Key, goodClaims, tokenWith } from './support/issuer.ts'

const key = ed25519Key()
const keys = staticKeys({ keys: [key.jwk] })
type Loose = Partial<Record<keyof VerifierOptions, unknown>>

function make(options: Loose = {}): TokenVerifier {
  const base = { issuer: goodClaims.iss, audience: goodClaims.aud, keys, clock: new FakeClock() }
  return createVerifier({ ...base, ...options } as VerifierOptions)
}

describe('options', () => {
  it.each<[why: string, options: Loose, path: string]>([
    ['maxEntries of 1', { cache: { maxEntries: 1 } }, 'cache.maxEntries'],
    ['maxEntries above a million', { cache: { maxEntries: 1_000_001 } }, 'cache.maxEntries'],
    ['maxEntries with a fraction', { cache: { maxEntries: 2.5 } }, 'cache'],
    ['maxBytes below 16 KiB', { cache: { maxBytes: 16_383 } }, 'cache.maxBytes'],
    ['maxBytes above 1 GiB', { cache: { maxBytes: 2 ** 30 + 1 } }, 'cache.maxBytes'],
    ['a cache that is true', { cache: true }, 'cache'],
    ['a tolerance of 61 s', { clockToleranceSeconds: 61 }, 'clockToleranceSeconds'],
    ['a negative tolerance', { clockToleranceSeconds: -1 }, 'clockToleranceSeconds'],
    ['a life of 59 s', { maxLifeSeconds: 59 }, 'maxLifeSeconds'],
    ['a life of more than 366 days', { maxLifeSeconds: 366 * 86_400 + 1 }, 'maxLifeSeconds'],
    ['tokens of 511 characters', { maxTokenLength: 511 }, 'maxTokenLength'],
    ['tokens of 16,385 characters', { maxTokenLength: 16_385 }, 'maxTokenLength'],
    ['an empty issuer', { issuer: '' }, 'issuer'],
    ['an issuer of 2,049 characters', { issuer: `https://a.example/${'a'.repeat(2031)}` }, 'issuer'],
    ['an empty audience', { audience: '' }, 'audience'],
    ['an audience of 513 characters', { audience: 'a'.repeat(513) }, 'audience'],
    ['an audience with a newline', { audience: 'a\nb' }, 'audience'],
    ['an empty allow-list', { algorithms: [] }, 'algorithms'],
    ['HS256', { algorithms: ['EdDSA', 'HS256'] }, 'algorithms.1'],
    ['an empty algorithm', { algorithms: [''] }, 'algorithms.0'],
    ['no keys', { keys: undefined }, 'keys'],
    ['null as keys', { keys: null }, 'keys'],
    ['text as keys', { keys: 'https://auth.example.com/jwks.json' }, 'keys'],
    [
      'a function as keys',
      { keys: Object.assign(() => undefined, { get: () => undefined, load: () => undefined }) },
      'keys',
    ],
    ['keys that cannot be asked', { keys: { load: async () => undefined } }, 'keys'],
    ['keys that cannot be loaded', { keys: { get: () => undefined } }, 'keys'],
    ['a profile that is text', { profile: 'auth0' }, 'profile'],
    ['a profile without a name', { profile: { ...rfc9068, name: undefined } }, 'profile.name'],
    ['a profile of no types', { profile: { ...rfc9068, types: [] } }, 'profile.types'],
    ['a profile whose type is no text', { profile: { ...rfc9068, types: [1] } }, 'profile.types.0'],
    ['a profile that says nothing of the client', { profile: { ...rfc9068, clientId: [] } }, 'profile.clientId'],
    ['isRevoked that is no function', { isRevoked: true }, 'isRevoked'],
    ['a profile that lacks a member', { profile: { ...rfc9068, optional: undefined } }, 'profile.optional'],
    ['a profile without algorithms', { profile: { ...rfc9068, algorithms: [] } }, 'profile.algorithms'],
    ['a profile with an audience of its own making', { profile: { ...rfc9068, audience: 'sub' } }, 'profile.audience'],
    ['a clock that is the class Date', { clock: Date }, 'clock'],
    ['a clock that only tells the time', { clock: { now: () => 0 } }, 'clock'],
    ['an engine that was not called', { ed25519: () => undefined }, 'ed25519'],
  ])('do not allow %s', (_why, options, path) => {
    const message = expect.stringMatching(new RegExp(`^createVerifier: "${path}" .{10,}`))
    expect(() => make(options)).toThrow(expect.objectContaining({ name: 'TokensError', code: 'bad_option', message }))
  })

  it.each<[name: string, options: Record<string, unknown>]>([
    ['isRevokd', { isRevokd: () => true }],
    ['clockTolerance', { clockTolerance: 3 }],
    ['cache.maxEntires', { cache: { maxEntries: 2, maxEntires: 2 } }],
    ['profile.refusd', { profile: { ...rfc9068, refusd: {} } }],
    // It is also why the audience seems to be missing.
    ['audiense', { audience: undefined, audiense: 'agent-api' }],
  ])('do not pass over a misspelt name in silence: %s', (name, options) => {
    const message = `createVerifier: "${name}" is not the name of an option`
    expect(() => make(options)).toThrow(expect.objectContaining({ code: 'bad_option', message }))
  })

  it('are there', () => {
    const none = undefined as unknown as VerifierOptions
    const message = expect.stringMatching(/^createVerifier: the options: /)
    expect(() => createVerifier(none)).toThrow(expect.objectContaining({ code: 'bad_option', message }))
  })

  it.each<[what: string, options: Loose]>([
    ['the smallest cache', { cache: { maxEntries: 2, maxBytes: 16_384 } }],
    ['the largest cache', { cache: { maxEntries: 1_000_000, maxBytes: 2 ** 30 } }],
    ['no cache', { cache: false }],
    ['no tolerance', { clockToleranceSeconds: 0 }],
    ['the longest tolerance', { clockToleranceSeconds: 60 }],
    ['a life of 600 s', { maxLifeSeconds: 600 }],
    ['a life of 366 days', { maxLifeSeconds: 366 * 86_400 }],
    ['the shortest tokens', { maxTokenLength: 512 }],
    ['the longest tokens', { maxTokenLength: 16_384 }],
    ['a profile of their own', { profile: { ...rfc9068, name: 'own' } satisfies Profile }],
    ['a plain object of functions as keys', { keys: { get: keys.get, load: keys.load } }],
  ])('allow %s', (_what, options) => {
    expect(make(options).verifySync(tokenWith({}, key)).subject).toBe('user_1')
  })

  it('allow the longest names', () => {
    const [issuer, audience] = [`https://a.example/${'a'.repeat(2030)}`, 'a'.repeat(512)]
    const principal = make({ issuer, audience }).verifySync(tokenWith({ iss: issuer, aud: audience }, key))
    expect(principal).toMatchObject({ issuer, audience })
  })

  const algorithms: Algorithm[] = [
    ...(['EdDSA', 'Ed25519', 'ES256', 'ES384', 'ES512'] as const),
    ...(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const),
  ]
  it.each(algorithms)('allow %s', (algorithm) => {
    const judge = (options: Loose) => () => make(options).verifySync(tokenWith({}, key, { alg: algorithm }))
    const isOurs = algorithm.startsWith('Ed')
    if (isOurs) expect(judge({ algorithms: [algorithm] })()).toMatchObject({ keyId: 'k1' })
    // On the list, so that it is the key that the header does not agree with.
    else expect(judge({ algorithms: [algorithm] })).toThrow(expect.objectContaining({ setting: 'keys' }))
    expect(judge({ algorithms: algorithms.filter((other) => other !== algorithm) })).toThrow(
      expect.objectContaining({ code: 'unsupported_alg', setting: 'algorithms' }),
    )
  })

  it('have defaults: 12 h of life, 5 s of tolerance, 8,192 characters', () => {
    const verifier = make()
    const exp = goodClaims.iat + 43_200
    expect(verifier.verifySync(tokenWith({ exp }, key)).expiresAt).toBe(exp)
    expect(() => verifier.verifySync(tokenWith({ exp: exp + 1 }, key))).toThrow(
      expect.objectContaining({ setting: 'maxLifeSeconds' }),
    )
    expect(verifier.verifySync(tokenWith({ iat: goodClaims.iat + 5 }, key)).issuedAt).toBe(goodClaims.iat + 5)
    expect(() => verifier.verifySync(tokenWith({ iat: goodClaims.iat + 6 }, key))).toThrow(
      expect.objectContaining({ setting: 'clockToleranceSeconds' }),
    )
    const padded = (length: number): string => `${tokenWith({}, key)}${'A'.repeat(length)}`.slice(0, length)
    expect(() => verifier.verifySync(padded(8192))).toThrow(expect.objectContaining({ code: 'bad_signature' }))
    expect(() => verifier.verifySync(padded(8193))).toThrow(expect.objectContaining({ setting: 'maxTokenLength' }))
  })
})

describe('the issuer', () => {
  it.each([
    ['that is no URL', 'auth.example.com'],
    ['with a fragment', 'https://auth.example.com/#a'],
    ['with a user', 'https://a@auth.example.com'],
    ['with a password', 'https://:b@auth.example.com'],
    ['that is data', 'data:text/plain,hello'],
  ])('may not be one %s', (_why, issuer) => {
    const message = expect.stringMatching(/^createVerifier: "issuer" .{10,}\.$/)
    expect(() => make({ issuer })).toThrow(
      expect.objectContaining({ name: 'TokensError', code: 'bad_option', message }),
    )
  })

  it.each([
    'http://auth.example.com',
    'http://10.0.0.1',
    'http://127.0.0.1.example.com',
    'http://localhost.example.com',
    'http://notlocalhost',
    'http://[::2]',
  ])('may not be %s, unless that is said aloud', (issuer) => {
    const message = expect.stringMatching(/^createVerifier: "issuer" .{10,}\.$/)
    expect(() => make({ issuer })).toThrow(expect.objectContaining({ code: 'insecure_url', message }))
    const verifier = make({ issuer, [allowInsecureIssuer]: true })
    expect(verifier.verifySync(tokenWith({ iss: issuer }, key)).issuer).toBe(issuer)
    expect(() => make({ issuer, [allowInsecureIssuer]: 1 })).toThrow(expect.objectContaining({ code: 'insecure_url' }))
  })

  it.each([
    'https://auth.example.com/tenants/1?a=b',
    'http://localhost:4600',
    'http://127.0.0.1:4600',
    'http://127.1.2.3',
    'http://[::1]:4600',
    'http://auth.localhost',
  ])('may be %s', (issuer) => expect(() => make({ issuer })).not.toThrow())
})
