import { describe, expect, it } from 'vitest'
import {
  clerk,
  explain,
  explainRejection,
  type KeySource,
  keycloak,
  rejectionCodes,
  remedies,
  staticKeys,
  TokenRejected,
  type VerifierOptions,
} from '../src/index.ts'
import { FakeClock } from './support/fake-clock.ts'
import { ed25519Key, es256Key, goodClaims, NOW, tokenWith } from './support/issuer.ts'

const key = ed25519Key()
const options: VerifierOptions = {
  issuer: goodClaims.iss,
  audience: goodClaims.aud,
  keys: staticKeys({ keys: [key.jwk, es256Key().jwk] }),
  algorithms: ['EdDSA'],
  clock: new FakeClock(),
}
const noKeys: KeySource = {
  get: () => undefined,
  load: async () => {
    throw new TokenRejected('keys_unavailable', 'No key set could be read.')
  },
}

const cases: [code: string, token: string, rest: Record<string, unknown>, more?: Partial<VerifierOptions>][] = [
  ['malformed', 'abc', { where: 'token', failed: 'The token has no dots: it is opaque, no JWT.' }],
  ['malformed', 'a.b.c.d.e', { where: 'token', failed: 'The token has five segments: it is encrypted (JWE).' }],
  [
    'unsupported_alg',
    tokenWith({}, es256Key()),
    { where: 'header.alg', setting: 'algorithms', expected: 'EdDSA', found: 'ES256' },
  ],
  ['unknown_key', tokenWith({}, ed25519Key('k9')), { where: 'header.kid', setting: 'keys' }],
  ['bad_signature', tokenWith({}, ed25519Key()), { where: 'signature', setting: 'keys' }],
  [
    'wrong_type',
    tokenWith({}, key, { typ: 'JWT' }),
    { where: 'header.typ', setting: 'profile', expected: 'at+jwt', found: 'JWT' },
  ],
  [
    'wrong_issuer',
    tokenWith({ iss: 'https://old.example.com' }, key),
    { where: 'claims.iss', setting: 'issuer', expected: goodClaims.iss, found: 'https://old.example.com' },
  ],
  [
    'wrong_audience',
    tokenWith({ aud: 'billing' }, key),
    { where: 'claims.aud', setting: 'audience', expected: 'agent-api', found: 'billing' },
  ],
  ['bad_claims', tokenWith({ jti: 7 }, key), { where: 'claims.jti', setting: 'profile', found: '7' }],
  [
    'bad_claims',
    tokenWith({ exp: NOW + 90_000 }, key),
    {
      ...{ where: 'claims.exp', setting: 'maxLifeSeconds', found: String(NOW + 90_000) },
      expected: 'at most 43200 s after "iat"',
    },
  ],
  [
    'expired',
    tokenWith({ exp: NOW - 10, iat: NOW - 20 }, key),
    {
      ...{ where: 'claims.exp', setting: 'clockToleranceSeconds', found: String(NOW - 10) },
      expected: `later than now, ${NOW} (${new Date(NOW * 1000).toISOString()})`,
    },
  ],
  [
    'not_yet_valid',
    tokenWith({ nbf: NOW + 60 }, key),
    {
      ...{ where: 'claims.nbf', setting: 'clockToleranceSeconds', found: String(NOW + 60) },
      expected: `not later than now, ${NOW} (${new Date(NOW * 1000).toISOString()})`,
    },
  ],
  ['revoked', tokenWith({}, key), { where: 'claims', setting: 'isRevoked' }, { isRevoked: () => true }],
  ['keys_unavailable', tokenWith({}, key), { where: 'header.kid', setting: 'keys' }, { keys: noKeys }],
]

describe('explain', () => {
  it.each(cases)(
    '%s: says what failed, where, by which setting, and what to do',
    async (code, token, rest, more = {}) => {
      const explanation = await explain(token, { ...options, ...more })
      expect(explanation).toMatchObject({
        accepted: false,
        code,
        remedy: expect.stringMatching(/^[A-Z].{15,}\.$/),
        ...rest,
      })
      for (const segment of token.split('.')) {
        if (segment.length > 8) expect(JSON.stringify(explanation)).not.toContain(segment)
      }
    },
  )

  const profile = keycloak
  const { client_id: _, ...rest } = goodClaims
  const ofKeycloak = { ...rest, azp: 'web', typ: 'Bearer' }
  it.each<[what: string, token: string, more: Partial<VerifierOptions>, rest: Record<string, unknown>]>([
    [
      'an ID token, by its kind',
      tokenWith({ ...ofKeycloak, typ: 'ID' }, key, { typ: 'JWT' }),
      { profile },
      { code: 'wrong_type', where: 'claims.typ', expected: 'Bearer', found: 'ID', remedy: remedies.wrong_type },
    ],
    [
      'an ID token, by what only it has',
      tokenWith({ ...ofKeycloak, nonce: 'n' }, key, { typ: 'JWT' }),
      { profile },
      { code: 'wrong_type', where: 'claims.nonce', expected: 'none', found: 'n' },
    ],
    [
      'a session of another origin',
      tokenWith({ ...rest, azp: 'https://a.example.com' }, key, { typ: 'JWT' }),
      { profile: clerk, audience: 'https://b.example.com' },
      { code: 'wrong_audience', where: 'claims.azp', remedy: expect.stringContaining('origin') },
    ],
    [
      'a token without a key id',
      tokenWith({}, key, { kid: undefined }),
      {},
      { code: 'malformed', where: 'header.kid', remedy: expect.stringContaining('`kid`') },
    ],
    [
      'a token that brings its key',
      tokenWith({}, key, { jwk: key.jwk }),
      {},
      { code: 'malformed', where: 'header.jwk', remedy: expect.stringContaining('leave that member out') },
    ],
    [
      'a long token',
      tokenWith({ jti: 'x'.repeat(512) }, key),
      { maxTokenLength: 512 },
      { code: 'malformed', setting: 'maxTokenLength', remedy: expect.stringContaining('raise `maxTokenLength`') },
    ],
    [
      'a token that lives long',
      tokenWith({ exp: NOW + 90_000 }, key),
      { maxLifeSeconds: 3600 },
      {
        code: 'bad_claims',
        expected: 'at most 3600 s after "iat"',
        remedy: expect.stringContaining('`maxLifeSeconds`'),
      },
    ],
    [
      'a key of another algorithm',
      tokenWith({}, key, { alg: 'ES256' }),
      { algorithms: ['EdDSA', 'ES256'] },
      { code: 'unsupported_alg', setting: 'keys', remedy: expect.stringContaining('JWKS') },
    ],
  ])('says what to do about %s', async (_what, token, more, expected) => {
    expect(await explain(token, { ...options, ...more })).toMatchObject(expected)
  })

  it('asks for no algorithm where the key is what does not fit', async () => {
    const algorithms = ['EdDSA', 'ES256'] as const
    const token = tokenWith({}, key, { alg: 'ES256' })
    expect(await explain(token, { ...options, algorithms })).not.toHaveProperty('expected')
  })

  it('shows no claim of a token whose signature does not hold', async () => {
    const [header, , signature] = tokenWith({}, key).split('.')
    const payload = Buffer.from('{"iss":"forged"}').toString('base64url')
    expect(JSON.stringify(await explain(`${header}.${payload}.${signature}`, options))).not.toContain('forged')
  })

  it('cuts and cleans what it shows', async () => {
    const explanation = await explain(tokenWith({ iss: `a\u001b[31m\u202e${'x'.repeat(500)}` }, key), options)
    expect(explanation).toMatchObject({ code: 'wrong_issuer', found: expect.stringMatching(/^a\ufffd\[31m\ufffdx+…$/) })
    expect((explanation as { found: string }).found.length).toBeLessThan(130)
  })

  it('accepts what the verifier accepts', async () => {
    expect(await explain(tokenWith({}, key), options)).toEqual({ accepted: true })
  })

  it('does not hide faults', async () => {
    const broken: KeySource = {
      get: () => {
        throw new Error('disk')
      },
      load: async () => undefined,
    }
    await expect(explain(tokenWith({}, key), { ...options, keys: broken })).rejects.toThrow('disk')
  })

  it.each(rejectionCodes)('has words for %s, also when a guard decided it', (code) => {
    const explanation = explainRejection(new TokenRejected(code, 'Refused.'))
    expect(explanation).toMatchObject({
      accepted: false,
      code,
      failed: 'Refused.',
      where: expect.stringMatching(/./),
      remedy: remedies[code],
    })
  })

  const unproven = [
    ...['no_token', 'invalid_request', 'malformed', 'unsupported_alg', 'unknown_key', 'bad_signature'],
    'keys_unavailable',
  ]
  it.each(rejectionCodes)('shows a claim for %s only if the signature held by then', (code) => {
    const details = { code, message: 'Refused.', setting: 'profile' }
    const token = tokenWith({}, key)
    const shown = unproven.includes(code) ? {} : { found: 'user_1' }
    expect(explainRejection({ ...details, where: 'claims.sub' }, options, token)).toStrictEqual({
      ...{ accepted: false, code, failed: 'Refused.', where: 'claims.sub', setting: 'profile', remedy: remedies[code] },
      ...shown,
    })
    expect(explainRejection({ ...details, where: 'header.typ' }, options, token)).toMatchObject({ found: 'at+jwt' })
    for (const where of ['header.kid', 'claims', 'header', 'token', 'proof.iss', 'xclaims.sub']) {
      expect(explainRejection({ ...details, where }, options, token)).not.toHaveProperty('found')
    }
  })

  it('says what is asked for: in the options, or else in the profile', () => {
    const asked = (where: string, more: Partial<VerifierOptions> = {}): unknown => {
      const { algorithms: _, ...rest } = options
      const explanation = explainRejection({ code: 'bad_claims', message: '', where }, { ...rest, ...more })
      return 'expected' in explanation ? explanation.expected : undefined
    }
    expect(asked('header.alg')).toBe('EdDSA, Ed25519')
    expect(asked('header.alg', { profile: keycloak })).toBe('RS256, ES256, EdDSA')
    expect(asked('header.alg', { profile: keycloak, algorithms: ['RS256', 'PS256'] })).toBe('RS256, PS256')
    expect([asked('claims.aud'), asked('claims.azp'), asked('claims.iss')]).toEqual([
      'agent-api',
      'agent-api',
      options.issuer,
    ])
    expect(asked('claims.sub')).toBeUndefined()
  })
})
