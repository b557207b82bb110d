import { describe, expect, it } from 'vitest'
import {
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
  ['malformed', 'abc', { where: 'token' }],
  [
    'unsupported_alg',
    tokenWith({}, es256Key()),
    { where: 'header.alg', setting: 'algorithms', expected: 'EdDSA', found: 'ES256' },
  ],
  ['unknown_key', tokenWith({}, ed25519Key('k9')), { where: 'header.kid', setting: 'keys' }],
  ['bad_signature', tokenWith({}, ed25519Key()), { where: 'signature', setting: 'keys' }],
  ['wrong_type', tokenWith({}, key, { typ: 'JWT' }), { where: 'header.typ', setting: 'profile', found: 'JWT' }],
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
    { where: 'claims.exp', setting: 'maxLifeSeconds', found: String(NOW + 90_000) },
  ],
  [
    'expired',
    tokenWith({ exp: NOW - 10, iat: NOW - 20 }, key),
    { where: 'claims.exp', setting: 'clockToleranceSeconds', found: String(NOW - 10) },
  ],
  [
    'not_yet_valid',
    tokenWith({ nbf: NOW + 60 }, key),
    { where: 'claims.nbf', setting: 'clockToleranceSeconds', found: String(NOW + 60) },
  ],
  ['revoked', tokenWith({}, key), { where: 'claims', setting: 'isRevoked' }, { isRevoked: () => true }],
  ['keys_unavailable', tokenWith({}, key), { where: 'header.kid', setting: 'keys' }, { keys: noKeys }],
]

describe('explain', () => {
  it.each(cases)(
    '%s: says what failed, where, by which setting, and what to do',
    async (code, token, rest, more = {}) => {
      const explanation = await explain(token, { ...options, ...more })
      expect(explanation).toMatchObject({ accepted: false, code, remedy: remedies[code as 'expired'], ...rest })
      for (const segment of token.split('.')) {
        if (segment.length > 8) expect(JSON.stringify(explanation)).not.toContain(segment)
      }
    },
  )

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
