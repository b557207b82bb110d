import { createSign, generateKeyPairSync } from 'node:crypto'
import type { RejectionCode } from '@countersign/tokens'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { type ClerkWorld, clerkWorld, origin, verdict } from './clerk-world.ts'

/** One change at a time to a token that is good, signed with the instance's own key, and the code that it costs. */
let world: ClerkWorld
let verifier: ReturnType<ClerkWorld['verifier']>
beforeAll(async () => {
  world = await clerkWorld()
  verifier = world.verifier({ keys: world.clerk.jwks, audience: 'agent-api' })
})

const good = { aud: 'agent-api' }
const make = (claims: object, header: object = {}) =>
  world.clerk.token(world.sessionId, { claims: { ...good, ...claims }, header: { ...header } })
const now = Math.floor(Date.now() / 1000)

it('begins with a good one', async () => {
  expect(await verdict(verifier, make({}))).toBe('accepted')
})

const claims: [why: string, change: object, code: RejectionCode][] = [
  ['no iss', { iss: undefined }, 'bad_claims'],
  ['another iss', { iss: 'https://clerk.example.org' }, 'wrong_issuer'],
  ['iss as a list', { iss: ['https://clerk.example.com'] }, 'bad_claims'],
  ['no sub', { sub: undefined }, 'bad_claims'],
  ['an empty sub', { sub: '' }, 'bad_claims'],
  ['sub as a list', { sub: ['user_1'] }, 'bad_claims'],
  ['sub with a line break', { sub: 'user_1\n' }, 'bad_claims'],
  ['no aud', { aud: undefined }, 'bad_claims'],
  ['aud null', { aud: null }, 'bad_claims'],
  ['another aud', { aud: 'agent-api2' }, 'wrong_audience'],
  ['other auds', { aud: ['a', 'b'] }, 'wrong_audience'],
  ['aud as an object', { aud: { 0: 'agent-api' } }, 'bad_claims'],
  ['no azp', { azp: undefined }, 'wrong_audience'],
  ['another azp', { azp: 'https://app.example.com.evil.example' }, 'wrong_audience'],
  ['azp as a list', { azp: [origin] }, 'bad_claims'],
  ['no exp', { exp: undefined }, 'bad_claims'],
  ['exp as a string', { exp: String(now + 60) }, 'bad_claims'],
  ['exp with a fraction', { exp: now + 60.5 }, 'bad_claims'],
  ['exp beyond all bounds', { exp: 1e300 }, 'bad_claims'],
  ['exp in a day', { exp: now + 86_400 }, 'bad_claims'],
  ['exp before iat', { exp: now - 2, iat: now - 1 }, 'bad_claims'],
  ['an exp that is over', { exp: now - 30, iat: now - 90, nbf: now - 90 }, 'expired'],
  ['no iat', { iat: undefined }, 'bad_claims'],
  ['iat as a string', { iat: String(now) }, 'bad_claims'],
  ['iat in a minute', { iat: now + 60, exp: now + 120 }, 'not_yet_valid'],
  ['nbf as a string', { nbf: String(now) }, 'bad_claims'],
  ['nbf in a minute', { nbf: now + 60 }, 'not_yet_valid'],
  ['sts pending', { sts: 'pending' }, 'bad_claims'],
  ['sts unknown', { sts: 'expired' }, 'bad_claims'],
  ['sts as an object', { sts: {} }, 'bad_claims'],
  ['sid as a number', { sid: 1 }, 'bad_claims'],
  ['an empty sid', { sid: '' }, 'bad_claims'],
  ['jti as a number', { jti: 1 }, 'bad_claims'],
  ['o as a string', { o: 'org_1' }, 'bad_claims'],
  ['o without an id', { o: {} }, 'bad_claims'],
  ['o.id as a list', { o: { id: ['org_1'] } }, 'bad_claims'],
  ['a second organisation in version 1', { org_id: 'org_other' }, 'bad_claims'],
  ['a second organisation flattened', { 'o.id': 'org_other' }, 'bad_claims'],
  ['fva as a string', { fva: '0' }, 'bad_claims'],
  ['fva with one age', { fva: [0] }, 'bad_claims'],
  ['act as a string', { act: 'user_2' }, 'bad_claims'],
  ['act without a sub', { act: {} }, 'bad_claims'],
  ['the nonce of an ID token', { nonce: 'n' }, 'wrong_type'],
  ['the events of a logout token', { events: {} }, 'wrong_type'],
  ['bound to a certificate', { cnf: { 'x5t#S256': 'A' } }, 'bad_claims'],
]
it.each(claims)('%s', async (_why, change, code) => {
  expect(await verdict(verifier, make(change))).toBe(code)
})

const headers: [why: string, change: object, code: RejectionCode][] = [
  ['alg none', { alg: 'none' }, 'unsupported_alg'],
  ['alg None', { alg: 'None' }, 'unsupported_alg'],
  ['alg HS256', { alg: 'HS256' }, 'unsupported_alg'],
  ['alg RS512', { alg: 'RS512' }, 'unsupported_alg'],
  ['alg PS256', { alg: 'PS256' }, 'unsupported_alg'],
  ['no alg', { alg: undefined }, 'malformed'],
  ['no kid', { kid: undefined }, 'malformed'],
  ['another kid', { kid: 'ins_other' }, 'unknown_key'],
  ['kid __proto__', { kid: '__proto__' }, 'unknown_key'],
  ['kid as a list', { kid: ['ins'] }, 'malformed'],
  ['typ at+jwt', { typ: 'at+jwt' }, 'wrong_type'],
  ['typ logout+jwt', { typ: 'logout+jwt' }, 'wrong_type'],
  ['no typ', { typ: undefined }, 'wrong_type'],
  ['a crit', { crit: ['exp'] }, 'malformed'],
  ['b64 false', { b64: false, crit: ['b64'] }, 'malformed'],
  ['the category of machines', { cat: 'cl_B7d4PD333AAA' }, 'wrong_type'],
  ['a category that nobody knows', { cat: 'cl_X' }, 'wrong_type'],
  ['a category that is a number', { cat: 1 }, 'wrong_type'],
]
it.each(headers)('%s', async (_why, change, code) => {
  expect(await verdict(verifier, make({}, change))).toBe(code)
})

it('a key in the header is not used', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const jwk = { ...publicKey.export({ format: 'jwk' }), alg: 'RS256', kid: world.clerk.signingKey.kid }
  const [head, payload] = make({}, { jwk, jku: 'https://evil.example/jwks' }).split('.')
  const signature = createSign('RSA-SHA256').update(`${head}.${payload}`).sign(privateKey).toString('base64url')
  expect(await verdict(verifier, `${head}.${payload}.${signature}`)).not.toBe('accepted')
})

describe('whatever is changed in the text of a good token', () => {
  it('is refused: one character for another', async () => {
    const token = make({})
    const character = fc.constantFrom(...'ABCXYZabcxyz0189-_=+/. \t\n')
    await fc.assert(
      fc.asyncProperty(fc.nat(token.length - 1), character, async (at, other) => {
        fc.pre(token[at] !== other)
        expect(await verdict(verifier, token.slice(0, at) + other + token.slice(at + 1))).not.toBe('accepted')
      }),
      { numRuns: 200 },
    )
  })

  it('is refused: cut, doubled or wrapped', async () => {
    const token = make({})
    const [a = '', b = '', c = ''] = token.split('.')
    for (const bad of [
      `${token}.`,
      `.${token}`,
      `${a}.${b}`,
      `${a}.${b}.`,
      `${a}..${c}`,
      ` ${token}`,
      `${token}\n`,
      `${token}=`,
      `${token}.${c}`,
      `Bearer ${token}`,
      '{}',
      'null',
    ])
      expect([bad, await verdict(verifier, bad)]).toEqual([bad, 'malformed'])
    expect(await verdict(verifier, '')).toBe('no_token')
    expect(await verdict(verifier, undefined as never)).toBe('no_token')
    expect(await verdict(verifier, `${a}.${'A'.repeat(20_000)}.${c}`)).toBe('malformed')
  })

  it('is refused without an audience as well, whichever of several sites it names', async () => {
    const two = world.verifier({ keys: world.clerk.jwks, authorizedParties: [origin, 'https://admin.example.com'] })
    for (const azp of [origin, 'https://admin.example.com']) {
      const token = world.clerk.token(world.sessionId, { origin: azp })
      expect((await two.verify(token)).audience).toBe(azp)
      expect(two.recall(token)?.audience).toBe(azp)
    }
    expect(await verdict(two, world.clerk.token(world.sessionId, { origin: 'https://evil.example' }))).toBe(
      'wrong_audience',
    )
    expect(await verdict(two, world.clerk.token(world.sessionId, { origin: false }))).toBe('bad_claims')
    expect(await verdict(two, `${'A'.repeat(1_000_000)}.A.A`)).toBe('malformed')
  })
})

it('what Clerk’s own verifier has not accepted is never recalled', async () => {
  const pending = make({ sts: 'frozen' })
  expect(await verdict(verifier, pending)).toBe('bad_claims')
  expect(verifier.recall(pending)).toBeUndefined()
  const template = world.clerk.token(world.sessionId, { header: { cat: 'cl_B7d4PD222AAA' } })
  const sites = world.verifier({ keys: world.clerk.jwks })
  expect(await verdict(sites, template)).toBe('wrong_type')
  expect(sites.recall(template)).toBeUndefined()
  expect(await verdict(sites, template)).toBe('wrong_type')
})

describe('options', () => {
  const rows: [why: string, options: object][] = [
    ['neither sites nor an audience', { authorizedParties: undefined }],
    ['no site', { authorizedParties: [] }],
    ['33 sites', { authorizedParties: Array.from({ length: 33 }, (_, at) => `https://a${at}.example`) }],
    ['no issuer', { issuer: undefined }],
    ['a PEM for keys', { keys: '-----BEGIN PUBLIC KEY-----' }],
    ['an empty audience', { audience: '' }],
    ['a skew of an hour', { clockToleranceSeconds: 3_600 }],
    ['a life of a month', { maxLifeSeconds: 30 * 86_400 }],
    ['scopes that are a list', { scopes: ['a'] }],
  ]
  it.each(rows)('%s', (_why, options) => {
    expect(() => world.verifier(options as never)).toThrow(expect.objectContaining({ code: 'bad_option' }))
  })

  it('keys that are none, an issuer on plain http', () => {
    expect(() => world.verifier({ keys: { keys: [] } })).toThrow(expect.objectContaining({ code: 'bad_key' }))
    const insecure = { issuer: 'http://clerk.example.com', keys: world.clerk.jwks }
    expect(() => world.verifier(insecure)).toThrow(expect.objectContaining({ code: 'insecure_url' }))
  })

  it('scopes that are no scopes refuse the token', async () => {
    const odd = world.verifier({ keys: world.clerk.jwks, scopes: () => ['two words', ''] })
    expect(await verdict(odd, world.clerk.token(world.sessionId))).toBe('bad_claims')
  })
})
