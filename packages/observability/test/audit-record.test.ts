import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type AuditEvent, auditLine } from '../src/audit-record.ts'
import { createScrub, isHarmlessName, isHarmlessWord } from '../src/scrub.ts'

const scrub = createScrub()
const position = { writer: 'AbCdEfGhIjKl', seq: 7, ts: 1_795_314_485.123 }

/** Pieces that the scrub looks for, among others that are near them. */
const piece = fc.constantFrom(
  ...['cs_refresh_', 'cs_secret_', 'cs_', 'eyJ', 'bearer', 'Bearer ', 'cookie', 'token', 'secret=', 'a.b', '"', '\\n'],
  ...['ABCDEFGH', 'abcdefghijklmnop', 'qrstuvwxyz0123456789', '-', '_', '.', ' ', '$2b$', 'é', '\u202e', '0'],
)
const word = fc.oneof(
  fc.array(piece, { minLength: 1, maxLength: 8 }).map((pieces) => pieces.join('')),
  fc.stringMatching(/^[\w-]{1,60}$/),
)
const name = fc.oneof(
  fc.constantFrom(
    ...['token', 'k', 'd', 'dp', 'K', 'api_key', 'session', 'kid', 'cs_secret_abcdefgh', 'aToken', 'tokens'],
  ),
  fc.stringMatching(/^[a-z]\w{0,20}$/),
)
const kind = fc.constantFrom('user', 'client', 'cs_refresh_abcdefghij', 'token')
const value = fc.oneof(word, fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean(), fc.constant(null))
const event: fc.Arbitrary<AuditEvent> = fc.record({
  action: fc.constantFrom('token.issue', 'session.refresh', 'abcdefghijklmnop.abcdefghijklmnop.abcdefghijklmnopqrst'),
  outcome: fc.constantFrom('allowed' as const, 'denied' as const),
  actor: fc.record({ type: kind, id: word }),
  target: fc.record({ type: kind, id: word }),
  reason: word,
  details: fc.dictionary(name, value, { maxKeys: 4 }),
})

describe('a line of the audit log', () => {
  it('is one in which a scrub finds nothing more, whether it was scrubbed or taken for harmless', () => {
    fc.assert(
      fc.property(event, (given) => {
        const line = auditLine(given, position)
        expect(scrub(line)).toBe(line)
        expect(JSON.parse(line)).toMatchObject({ v: 1, seq: 7 })
      }),
      { numRuns: 2_000 },
    )
  })

  it.each([
    ['a secret by its beginning', { actor: { type: 'user', id: 'cs_refresh_abcdefghij' } }],
    ['a secret by its name', { details: { access_token: 'abcdefgh' } }],
    ['a private member of a key', { details: { d: 'abcdefghijklmnopqrst' } }],
    ['a token', { details: { note: 'eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhIn0.AAAAAAAAAAAAAAAAAAAAAAAA' } }],
    ['a kind that is a secret', { actor: { type: 'cs_secret_abcdefghij' } }],
  ])('is scrubbed of %s', (_, part) => {
    const line = auditLine(
      {
        action: 'token.issue',
        outcome: 'allowed',
        actor: { type: 'user' },
        target: { type: 'token', id: 'j' },
        ...part,
      },
      position,
    )
    expect(line).toContain('[secret]')
    expect(line).not.toMatch(/abcdefgh|AAAAAAAA/)
  })

  it('is the same whether one of its texts makes it scrubbed or not', () => {
    const given = (id: string): AuditEvent => ({
      action: 'token.issue',
      outcome: 'allowed',
      actor: { type: 'user', id },
      target: { type: 'token', id: 'jti' },
      details: { client: 'client_a', expiresAt: 1_795_314_485, first: true, none: null },
    })
    expect(auditLine(given('a.b'), position).replace('a.b', 'ab')).toBe(auditLine(given('ab'), position))
  })
})

describe('harmless', () => {
  it.each([
    ['client_AbC-1', true],
    ['', true],
    ['a.b', false],
    ['cs_secret_', false],
    ['a b', false],
    ['é', false],
  ])('as a word: %j %s', (text, expected) => {
    expect(isHarmlessWord(text)).toBe(expected)
  })
  it.each([
    ['session', true],
    ['tokens', true],
    ['kid', true],
    ['Token', false],
    ['idToken', false],
    ['apikey', false],
    ['privateKey', false],
    ['k', false],
    ['qi', false],
  ])('as a name: %j %s', (text, expected) => {
    expect(isHarmlessName(text)).toBe(expected)
  })
})
