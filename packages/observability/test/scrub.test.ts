import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createScrub } from '../src/index.ts'

const scrub = createScrub({ prefixes: ['ghp_'] })
const header = Buffer.from('{"alg":"EdDSA","typ":"at+jwt","kid":"k"}').toString('base64url')
const payload = Buffer.from('{"sub":"user_1","iss":"https://auth.example"}').toString('base64url')
const signature = 'Q'.repeat(43).concat('w'.repeat(43))
const jwt = `${header}.${payload}.${signature}`
const random = 'Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmE'
const pem = '-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v\n-----END PRIVATE KEY-----'

/** The text, and what of it must be gone. */
const secrets: [what: string, text: string, gone: string][] = [
  ['a JWT', `token ${jwt} refused`, signature],
  ['the payload of a JWT', `token ${jwt} refused`, payload],
  ['a JWT without a signature', `${header}.${payload}.`, payload],
  ['a JWT cut in its payload', `${header}.${payload.slice(0, 20)}`, payload.slice(0, 20)],
  ['a JWT behind other characters', `x-token-${jwt}`, signature],
  ['a JWT right after a line break in JSON', JSON.stringify({ msg: `Token:\n${jwt}` }), signature],
  ['a JWT in an URL', `https://a.example/cb?jwt=${jwt}&x=1`, signature],
  ['a token of three long segments', `${random}.${random}.${random}`, random],
  ['a JWE', `${header}..${random}.${random}.${random}`, random],
  ['a Bearer credential', 'Authorization: Bearer opaque-token-123', 'opaque-token-123'],
  ['a Bearer credential in another case', 'sent bEARER opaque~token+123/=', 'opaque'],
  ['a Bearer credential after a line break in JSON', JSON.stringify({ msg: 'h:\nBearer opaque-token-123' }), 'opaque'],
  ['a Basic credential', 'header Basic dXNlcjpwYXNzd29yZDE=', 'dXNlcjpwYXNz'],
  ['a short Authorization value', 'authorization: Basic YTpi', 'YTpi'],
  ['an unknown scheme', 'Proxy-Authorization: Custom abc def', 'abc'],
  ['a cookie', 'Cookie: sid=abc123; theme=dark', 'abc123'],
  ['a refresh token of ours', `presented cs_refresh_${random}`, random],
  ['a client secret of ours', `cs_secret_${random}`, random],
  ['a secret of one’s own prefix', 'ghp_16C7e42F292c6912E7710c838347Ae178B4a', '16C7e42F'],
  ['an argon2id hash', '$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b27A', 'RdescudvJ'],
  ['a bcrypt hash', '$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW', 'PgBkqquz'],
  ['a scrypt hash in JSON', JSON.stringify({ hash: '$scrypt$ln=17,r=8,p=1$c2FsdHNhbHQ$aGFzaGhhc2g' }), 'aGFzaG'],
  ['a private JWK', `{"kty":"OKP","d":"${random}","x":"abc"}`, random],
  ['a private JWK in JSON in JSON', JSON.stringify({ msg: JSON.stringify({ d: random }) }), random],
  ['a symmetric JWK', `{"kty":"oct", "k" : "${random}"}`, random],
  ['a PEM block', pem, 'MC4CAQAw'],
  ['a PEM block in JSON', JSON.stringify({ msg: pem, port: 1 }), 'MC4CAQAw'],
  ['a PEM block without an end', JSON.stringify({ msg: pem.slice(0, 50), port: 1 }), 'MC4CAQAw'],
  ['a form', 'grant_type=password&client_secret=hunter22&x=1', 'hunter22'],
  ['an encoded form', 'body=client_secret%3Dhunter22', 'hunter22'],
  ['a JSON body', JSON.stringify({ body: '{"password":"hunter22"}' }), 'hunter22'],
  ['a new name for it', 'newPassword=hunter22', 'hunter22'],
]

describe('scrub', () => {
  it.each(secrets)('takes out %s', (_what, text, gone) => {
    expect(text).toContain(gone)
    expect(scrub(text)).not.toContain(gone)
    expect(scrub(text)).toContain('[secret]')
  })

  const harmless: [what: string, text: string][] = [
    ['a key id', 'kid kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k'],
    ['a host name', 'https://auth.staging.eu-west-1.example.com/oauth/token'],
    ['a challenge', 'WWW-Authenticate: Bearer realm="api", error="invalid_token"'],
    ['a version', 'node 24.21.0 on linux-6.1.0-32-amd64'],
    ['a time', '2026-11-21T23:04:40.312Z'],
    ['a sentence about tokens', 'the bearer token is missing; basic is not allowed'],
    ['a public JWK', '{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}'],
    ['a reason', '{"code":"no_token","result":"denied"}'],
    ['a price', 'it costs $20 or $5 a month'],
  ]
  it.each(harmless)('leaves %s', (_what, text) => {
    expect(scrub(text)).toBe(text)
  })

  it('escapes what could forge a line in a terminal', () => {
    expect(scrub('a\u2028b\u0085c\u009b31md\u202ee\ufefff')).toBe('a\\u2028b\\u0085c\\u009b31md\\u202ee\\ufefff')
  })

  /** Texts that come near to every pattern. */
  const pieces = fc.constantFrom(
    ...secrets.map(([, text]) => text),
    ...['eyJ', '\\', '"', '\n', '\u2028', 'Bearer ', 'token=', '"d":"', '-----BEGIN X-----', '$2$', '.', random, '%3D'],
  )
  const hostile = fc
    .array(fc.oneof(pieces, fc.string({ unit: 'binary', maxLength: 12 })), { maxLength: 12 })
    .map((parts) => parts.join(''))

  it('keeps JSON JSON, on one line', () => {
    fc.assert(
      fc.property(hostile, hostile, (name, text) => {
        const line = scrub(JSON.stringify({ [name]: text, nested: JSON.stringify({ text }) }))
        expect(() => JSON.parse(line)).not.toThrow()
        expect(line).not.toMatch(/[\n\r\u2028\u2029\u0085]/)
      }),
      { numRuns: 1500 },
    )
  })

  it('changes nothing more the second time', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const once = scrub(JSON.stringify({ text }))
        expect(scrub(once)).toBe(once)
      }),
      {
        numRuns: 1500,
        // Once only settled the second time.
        examples: [
          [
            '$2$token={"msg":"-----BEGIN PRIVATE KEY-----\\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v\\n-----END PRIVATE KEY-----","port":1}',
          ],
        ],
      },
    )
  })

  it('finds a token wherever it stands in a line', () => {
    fc.assert(
      fc.property(hostile, hostile, (before, after) => {
        expect(scrub(JSON.stringify({ text: `${before} ${jwt} ${after}` }))).not.toContain(signature)
      }),
      { numRuns: 500 },
    )
  })

  const evil = ['eyJ', 'a.', '\\', 'bearer ', '"d":"', '-----BEGIN A-----', 'token=', '$2$', 'authorization:', ' ', '"']
  it.each(evil)('takes linear time over %j repeated', (piece) => {
    const time = (length: number): number => {
      const text = piece.repeat(length / piece.length)
      const start = process.cpuUsage()
      scrub(text)
      return process.cpuUsage(start).user / 1000
    }
    time(50_000)
    // Quadratic work would take minutes for this. The processor's time, of which a busy machine leaves the same to do.
    expect(time(2_000_000)).toBeLessThan(10_000)
  })
})
