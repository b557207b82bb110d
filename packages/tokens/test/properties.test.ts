import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type AccessTokenClaims,
  createVerifier,
  formatScope,
  isRejection,
  isTokensError,
  parseScope,
  signAccessTokenSync,
  staticKeys,
  TokenRejected,
  TokensError,
} from '../src/index.ts'
import { decodeBase64Url, encodeBase64Url } from '../src/internal/base64url.ts'
import { parseStrictObject } from '../src/internal/strict-json.ts'
import { FakeClock } from './support/fake-clock.ts'
import { base64url, ed25519Key, forge, goodClaims, NOW } from './support/issuer.ts'

const key = ed25519Key()
const verifier = createVerifier({
  issuer: goodClaims.iss,
  audience: goodClaims.aud,
  keys: staticKeys({ keys: [key.jwk] }),
  clock: new FakeClock(),
})
const good = signAccessTokenSync(goodClaims, key.signer)

const identifier = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
  .filter((text) => !/[\p{Cc}\p{Cs}]/u.test(text))
const scopeToken = fc.stringMatching(/^[\x21\x23-\x5b\x5d-\x7e]{1,20}$/)
const act = fc.letrec<{ act: { sub: string; client_id?: string; act?: unknown } }>((tie) => ({
  act: fc.record(
    {
      sub: identifier,
      client_id: identifier,
      act: fc.oneof({ maxDepth: 2, withCrossShrink: true }, fc.constant(undefined), tie('act')),
    },
    { requiredKeys: ['sub'] },
  ),
})).act
const claims = fc.record(
  {
    iss: fc.constant(goodClaims.iss),
    aud: fc.constant(goodClaims.aud),
    sub: identifier,
    exp: fc.integer({ min: NOW + 1, max: NOW + 40_000 }),
    iat: fc.integer({ min: NOW - 3_000, max: NOW }),
    jti: identifier,
    client_id: identifier,
    scope: fc.uniqueArray(scopeToken, { maxLength: 8 }).map(formatScope),
    sid: identifier,
    org_id: identifier,
    act,
    anc: fc.array(identifier, { maxLength: 4 }),
    gen: fc.array(fc.nat(), { maxLength: 7 }),
  },
  { requiredKeys: ['iss', 'aud', 'sub', 'exp', 'iat', 'jti', 'client_id', 'scope'] },
)
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

describe('JSON with escapes', () => {
  it('is read right where V8 takes an escaped name for one that begins with a backslash', () => {
    const shapes = ['{"a":1,"\\\\":2}', '{"sub":1,"\\\\u0":2}'].map((text) => JSON.parse(text))
    expect(shapes).toHaveLength(2)
    expect(parseStrictObject('{"a":1,"\\n":2}')).toEqual({ a: 1, '\n': 2 })
    expect(parseStrictObject('{"sub":1,"\\u0073ub":2}')).toBeUndefined()
  })

  it.each([
    '{"\\x":1}',
    '{"a":"\\"}',
    '{"a":"\\u12"}',
    '{"\\n":1,}',
    '{"\\n" 1}',
    '{"\\n":}',
    '{"\\n":01}',
    '{"\\n":[1,]}',
    '{"\\n":1} x',
    '{"\\n":1',
    '{"\\n":[1',
    '{"\\n":tru}',
    '["\\n"]',
    '{"\\n":+1}',
    '{"\\n":1.}',
    '{"\t\\n":1}',
  ])('refuses %s', (text) => {
    expect(parseStrictObject(text)).toBeUndefined()
  })

  it('holds the bounds there too', () => {
    const deep = (depth: number, inner: string): string => (depth === 0 ? inner : `{"\\n":${deep(depth - 1, inner)}}`)
    expect(parseStrictObject(deep(8, '1'))).toBeDefined()
    expect(parseStrictObject(deep(9, '1'))).toBeUndefined()
    expect(parseStrictObject(deep(7, '[]'))).toBeDefined()
    expect(parseStrictObject(deep(8, '[]'))).toBeUndefined()
    const list = (count: number): string => `{"\\n":[${Array(count).fill('0').join()}]}`
    expect(parseStrictObject(list(511))).toBeDefined()
    expect(parseStrictObject(list(512))).toBeUndefined()
    expect(parseStrictObject('{"\\n":1,"__proto__":{}}')).toBeUndefined()
    expect(parseStrictObject('{"\\u005f_proto__":{}}')).toBeUndefined()
  })
})

describe('properties', () => {
  it('what is signed is what is read', () => {
    fc.assert(
      fc.property(claims, (said) => {
        const principal = verifier.verifySync(signAccessTokenSync(said as AccessTokenClaims, key.signer))
        expect(plain(principal.claims)).toEqual(plain(said))
        expect([...principal.scopes]).toEqual(parseScope(said.scope))
      }),
      { numRuns: 150 },
    )
  })

  it('any character changed, taken or added: refused, and never by anything but a refusal', () => {
    const edit = fc.record({
      at: fc.nat(good.length - 1),
      how: fc.constantFrom('change', 'take', 'add'),
      character: fc.oneof(fc.stringMatching(/^[\w.-]$/), fc.string({ unit: 'binary', minLength: 1, maxLength: 2 })),
    })
    fc.assert(
      fc.property(edit, ({ at, how, character }) => {
        const rest = good.slice(how === 'add' ? at : at + 1)
        const edited = good.slice(0, at) + (how === 'take' ? '' : character) + rest
        fc.pre(edited !== good)
        expect(() => verifier.verifySync(edited)).toThrow(TokenRejected)
      }),
      { numRuns: 1500 },
    )
  })

  it('any byte of the signed part changed: refused, cached or not', () => {
    verifier.verifySync(good)
    const [header = '', payload = '', signature = ''] = good.split('.')
    fc.assert(
      fc.property(
        fc.constantFrom(header, payload, signature),
        fc.nat(1000),
        fc.integer({ min: 1, max: 255 }),
        (segment, at, turn) => {
          const bytes = Buffer.from(segment, 'base64url')
          bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ turn
          const changed = good.replace(segment, bytes.toString('base64url'))
          expect(() => verifier.verifySync(changed)).toThrow(TokenRejected)
        },
      ),
      { numRuns: 500 },
    )
  })

  it('whatever JSON is signed: accepted or refused, nothing else', () => {
    const weird = fc.oneof(
      fc.jsonValue(),
      fc.dictionary(
        fc.constantFrom(...Object.keys(goodClaims), '__proto__', 'constructor', 'toString', 'act', 'cnf', 'gen', 'anc'),
        fc.jsonValue(),
      ),
    )
    fc.assert(
      fc.property(weird, weird, (header, payload) => {
        const mixedHeader = { alg: 'EdDSA', typ: 'at+jwt', kid: 'k1', ...(header as object) }
        for (const token of [
          forge(mixedHeader, payload, key),
          forge({ alg: 'EdDSA', typ: 'at+jwt', kid: 'k1' }, { ...goodClaims, ...(payload as object) }, key),
        ]) {
          try {
            verifier.verifySync(token)
          } catch (error) {
            expect(isRejection(error), String(error)).toBe(true)
          }
        }
      }),
      { numRuns: 400 },
    )
    expect(({} as Record<string, unknown>).scope).toBeUndefined()
  })

  it('whatever text comes: refused', () => {
    const segment = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary' }).map(base64url),
      fc.stringMatching(/^[\w-]{0,90}$/),
    )
    fc.assert(
      fc.property(fc.array(segment, { maxLength: 5 }), (segments) => {
        expect(() => verifier.verifySync(segments.join('.'))).toThrow(TokenRejected)
      }),
      { numRuns: 500 },
    )
  })

  it('base64url has one spelling for every value', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        expect(encodeBase64Url(bytes)).toBe(Buffer.from(bytes).toString('base64url'))
        expect(decodeBase64Url(encodeBase64Url(bytes))).toEqual(new Uint8Array(bytes))
      }),
    )
    fc.assert(
      fc.property(fc.oneof(fc.string({ maxLength: 12 }), fc.stringMatching(/^[\w-]{0,12}$/)), (text) => {
        const bytes = decodeBase64Url(text)
        expect(bytes === undefined || encodeBase64Url(bytes) === text).toBe(true)
      }),
      { numRuns: 1000 },
    )
  })

  it('a member said twice is found, wherever it hides', () => {
    const name = fc.oneof(fc.string({ maxLength: 6 }), fc.constantFrom('a":', '\\":', '"', ':', '{', '\\'))
    fc.assert(
      fc.property(
        fc.dictionary(name, fc.jsonValue({ maxDepth: 2 }), { minKeys: 1, maxKeys: 6, noNullPrototype: true }),
        fc.boolean(),
        (object, spaced) => {
          fc.pre(!JSON.stringify(object).includes('__proto__'))
          const text = spaced ? JSON.stringify(object, null, 2) : JSON.stringify(object)
          expect(plain(parseStrictObject(text))).toEqual(plain(object))
          const [first] = Object.keys(object)
          const twice = `{${JSON.stringify(first)}${spaced ? ' \n' : ''}: 1, ${text.slice(1)}`
          expect(parseStrictObject(twice)).toBeUndefined()
        },
      ),
      { numRuns: 500 },
    )
  })
})

it('knows its errors across copies of the package', () => {
  class Copy extends Error {
    override readonly name = 'TokenRejected'
    readonly code = 'expired'
  }
  expect(isRejection(new Copy())).toBe(true)
  expect(isRejection(Object.assign(new Copy(), { code: 'nonsense' }))).toBe(false)
  expect(isRejection(new Error('x'))).toBe(false)
  expect(isRejection({ name: 'TokenRejected', code: 'expired' })).toBe(false)
  expect(isTokensError(new TokensError('bad_key', 'x'))).toBe(true)
  expect(isTokensError(new TokenRejected('expired', 'x'))).toBe(false)
})
