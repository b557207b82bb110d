import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseStrictObject } from '../src/internal/strict-json.ts'

/** Escaped in front, so that the own reader reads it instead of `JSON.parse`: both must say the same. */
const escaped = (json: string): string => json.replace('{', '{"\\u0078x":0,')
const plain = (json: string): string => json.replace('{', '{"xx":0,')
const lists = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)
const objects = (depth: number): string => '{"a":'.repeat(depth) + 1 + '}'.repeat(depth)
const ones = (count: number): string => `[${Array(count).fill(1).join()}]`

describe.each([
  ['JSON.parse', plain],
  ['the own reader', escaped],
])('a strict object by %s', (_by, form) => {
  const parse = (json: string): unknown => parseStrictObject(form(json))

  it.each([
    ['eight levels of lists', `{"a":${lists(7)}}`],
    ['eight levels of objects', objects(8)],
    ['512 entries', `{"a":${ones(510)}}`],
    ['colons, quotation marks and braces in strings', '{"a":":{}:,","b:":"x:y"}'],
    ['one name in two objects', '{"a":{"a":1},"b":[{"a":1},{"a":2}]}'],
    ['every kind of value', '{"a":null,"b":true,"c":false,"d":-1.5e-3,"e":"","f":{},"g":[]}'],
    ['white space around everything', ' {\t"a" :\n1 ,\r"b" : [ 1 , 2 ] } '],
  ])('may have %s', (_what, json) => {
    expect(parse(json)).toEqual(JSON.parse(plain(json)))
  })

  it.each([
    ['nine levels of lists', `{"a":${lists(8)}}`],
    ['nine levels of objects', objects(9)],
    ['513 entries', `{"a":${ones(511)}}`],
    ['a name twice', '{"a":1,"a":1}'],
    ['a name twice, and a number that is shorter with an exponent', '{"a":1,"a":2,"b":1e9}'],
    ['a name twice, the dropped one empty', '{"a":"","a":[]}'],
    ['a name twice, and zero with a sign', '{"a":0,"a":-0}'],
    ['a name twice further down', '{"b":[{"a":1,"a":2}]}'],
    ['__proto__', '{"__proto__":1}'],
    ['__proto__ further down', '{"a":{"b":[{"__proto__":null}]}}'],
    ['no end', '{"a":1'],
    ['a list without end', '{"a":[1'],
    ['no comma', '{"a":1 "b":2}'],
    ['a list without a comma', '{"a":[1 2]}'],
    ['a list that ends like an object', '{"a":[1}}'],
    ['nothing behind the colon', '{"a":}'],
    ['a string without end', '{"a":"b}'],
    ['something behind', '{"a":1}x'],
    ['a comma too many', '{"a":1,}'],
    ['a list with a comma too many', '{"a":[1,]}'],
    ['no colon', '{"a" 1}'],
    ['a name without quotation marks', '{a:1}'],
    ['a number with a zero before it', '{"a":01}'],
    ['a number that ends in a point', '{"a":1.}'],
    ['a word that is no value', '{"a":undefined}'],
    ['a control character in a string', '{"a":"\u0001"}'],
  ])('may not have %s', (_what, json) => {
    expect(parse(json)).toBeUndefined()
  })

  it('is frozen to the last list', () => {
    const value = parse('{"a":{"b":[{"c":[]}]}}') as { a: { b: [{ c: [] }] } }
    for (const each of [value, value.a, value.a.b, value.a.b[0], value.a.b[0].c]) {
      expect(Object.isFrozen(each)).toBe(true)
    }
  })
})

it.each(['', 'null', 'true', '1', '"text"', '[]', '[{}]', '"\\u0041"', '["\\n"]', '"', '\\', 'undefined'])(
  'takes %j for no object',
  (text) => {
    expect(parseStrictObject(text)).toBeUndefined()
  },
)

it('takes the empty object', () => {
  expect(parseStrictObject('{}')).toEqual({})
  expect(parseStrictObject(' {\n} ')).toEqual({})
})

/** JSON text as no serializer writes it: names that come again, white space, numbers in every spelling. */
const oddText = fc.letrec<{ value: string; object: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom('0', '-0', '7', '1000', '1e3', '1E+3', '12e2', '1.0', '999999999999', '1e21', '0.1', '-5'),
    fc.constantFrom('null', 'true', 'false', '""', '":"', '"a"', '"å\u2028\ud83d"', '"{\u007f}"', '[]', '{}'),
    fc.array(tie('value'), { maxLength: 3 }).map((entries) => `[${entries.join(',')}]`),
    tie('object'),
  ),
  object: fc
    .array(fc.tuple(fc.constantFrom('a', 'b', '', '1', '__proto__'), fc.constantFrom('', ' ', '\n'), tie('value')), {
      maxLength: 4,
    })
    .map((members) => `{${members.map(([name, space, value]) => `"${name}"${space}:${value}`).join(',')}}`),
})).object

it('gives one verdict, by whichever way a text is read', () => {
  let refused = 0
  let taken = 0
  const verdict = (text: string): void => {
    const own = parseStrictObject(escaped(text))
    expect(parseStrictObject(plain(text))).toEqual(own)
    if (own === undefined) refused++
    else taken++
  }
  fc.assert(
    fc.property(
      oddText.filter((text) => text !== '{}'),
      verdict,
    ),
    { numRuns: 20_000 },
  )
  expect(Math.min(refused, taken)).toBeGreaterThan(1000)
})
