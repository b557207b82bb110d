import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { engine } from '#engine'
import { createVerifier, isRejection, staticKeys } from '../src/index.ts'
import { AlikePayloads } from '../src/internal/alike-payloads.ts'
import { parseStrictObject } from '../src/internal/strict-json.ts'

import { FakeClock } from './support/fake-clock.ts'
import { base64url, ed25519Key, forge, goodClaims, NOW } from './support/issuer.ts'

type Claims = Readonly<Record<string, unknown>>

let payloads: AlikePayloads

/** What is read of it out of what is known, as a verifier would. */
function find(payload: string): Claims | undefined {
  expect(engine.decodeText(base64url(payload))).toBe(payload)
  return payloads.find(payload.length)?.read(payload)
}

function learn(payload: string): void {
  const claims = parseStrictObject(payload)
  if (claims === undefined) throw new Error('not strict')
  payloads.learn(claims, payload)
}

/** One of eight is learned from: so often, then, that it is. */
function teach(...texts: string[]): void {
  for (const payload of texts) for (let time = 0; time < 8; time++) learn(payload)
}

const same = '"iss":"https://auth.example.com"'
const one = `{${same},"sub":"user_1","exp":1800000600,"n":7,"gen":[0,31],"last":true}`
const two = `{${same},"sub":"user_2","exp":1800000700,"n":8,"gen":[1,32],"last":true}`

beforeEach(() => {
  payloads = new AlikePayloads()
})

describe('payloads of one kind', () => {
  it('are read as JSON.parse does, frozen to the last list, with values of their own', () => {
    teach(one, two)
    const payload = one.replace('user_1', 'robot:').replace('600', '999').replace('[0,31]', '[9999]')
    const claims = find(payload)
    expect(JSON.stringify(claims)).toBe(payload)
    expect(claims).toEqual(JSON.parse(payload))
    expect([Object.isFrozen(claims), Object.isFrozen(claims?.gen)]).toEqual([true, true])
    expect(JSON.stringify(find(one))).toBe(one)
    expect(JSON.stringify(find(two))).toBe(two)
  })

  it('may differ in what was seen to differ, and in nothing else', () => {
    teach(one)
    expect(find(one)).toEqual(JSON.parse(one))
    expect(find(two)).toBeUndefined()
    teach(one.replace('user_1', 'user_3'))
    expect(find(one.replace('user_1', 'user_4'))?.sub).toBe('user_4')
    expect(find(two)).toBeUndefined()
    teach(two)
    expect(find(two.replace('user_2', 'user_5').replace('"n":8', '"n":9'))).toMatchObject({ sub: 'user_5', n: 9 })
    expect(find(two.replace('example.com', 'example.net'))).toBeUndefined()
    expect(find(two.replace('"last":true', '"lust":true'))).toBeUndefined()
    expect(find(two.replace('"last":true', '"last":null'))).toBeUndefined()
    // What varied once stays so, also if the next one learned has the same there.
    teach(two.replace('example.com', 'example.net'))
    expect(find(two.replace('user_2', 'user_6'))?.sub).toBe('user_6')
  })

  it.each([
    ['a quotation mark in a text', ['user_2', 'use","']],
    ['a member more, where a text ends early', ['"user_2"', '"","n":9']],
    ['a backslash in a text', ['user_2', 'user\\\\']],
    ['an escape in a text', ['user_2', '\\u0041']],
    ['a control character in a text', ['user_2', 'user\t2']],
    ['the last control character in a text', ['user_2', 'user\x1f2']],
    ['a null in a text', ['user_2', 'user\u00002']],
    ['DEL in a text', ['user_2', 'user\x7f2']],
    ['a letter beyond ASCII in a text', ['user_2', 'üser_2']],
    ['a number with a zero before it', ['1800000700', '0800000700']],
    ['a number with a sign', ['1800000700', '-800000700']],
    ['a number with a point', ['1800000700', '18000007.0']],
    ['a number with an exponent', ['1800000700', '18000007e2']],
    ['a number with a space', ['1800000700', '180000070 ']],
    ['a comma in a number', ['1800000700', '1800000,00']],
    ['a colon in a number', ['1800000700', '18:0000700']],
    ['a slash in a number', ['1800000700', '18/0000700']],
    ['a letter for a digit', ['"n":8', '"n":x']],
    ['a list that begins with a comma', ['[1,32]', '[,132]']],
    ['a list with two commas', ['[1,32]', '[1,,2]']],
    ['a list with a zero before a number', ['[1,32]', '[1,02]']],
    ['a list in a list', ['[1,32]', '[[13]]']],
    ['a list with a text', ['[1,32]', '["1a"]']],
    ['a list with a space', ['[1,32]', '[1, 2]']],
    ['another bracket', ['[1,32]', '[1,32}']],
  ] as const)('have not %s', (_what, [from, to]) => {
    teach(one, two)
    const payload = two.replace(from, () => to)
    expect(payload).toHaveLength(two.length)
    expect(find(two)).toEqual(JSON.parse(two))
    expect(find(payload)).toBeUndefined()
  })

  it('may have every character of a text that stands for itself', () => {
    teach(one, two)
    const plain = Array.from({ length: 0x7f - 0x20 }, (_, index) => String.fromCharCode(0x20 + index))
    for (const character of plain.filter((each) => each !== '"' && each !== '\\')) {
      expect(find(one.replace('user_1', () => `user_${character}`))?.sub).toBe(`user_${character}`)
      expect(find(one.replace('user_1', () => `${character}user_`))?.sub).toBe(`${character}user_`)
    }
    expect(find(one.replace('"n":7', '"n":0'))?.n).toBe(0)
  })

  it('have one length', () => {
    teach(one, two)
    expect(find(one.replace('user_1', 'user_10'))).toBeUndefined()
    const longer = (name: string): string => one.replace('user_1', name)
    teach(longer('user_10'), longer('user_11'))
    expect(find(longer('user_12'))?.sub).toBe('user_12')
    expect(find(two)?.sub).toBe('user_2')
  })

  it('take the place of another kind of the same length', () => {
    teach(one, two)
    const other = (name: string): string => `{${same},"sub":"${name}","exp":1800000600,"n":7,"act":[0,31],"last":true}`
    teach(other('user_1'))
    expect(find(other('user_1'))).toEqual(JSON.parse(other('user_1')))
    expect(find(other('user_2'))).toBeUndefined()
    expect(find(one)).toBeUndefined()
    teach(other('user_2'))
    expect(find(other('user_3'))?.sub).toBe('user_3')
  })

  it.each([
    ['a list of texts', '["x"]', '["y"]'],
    ['a number below zero', '-1', '-2'],
    ['an object', '{"b":1}', '{"b":2}'],
  ])('are of a kind of their own for another value of %s', (_what, before, after) => {
    const withValue = (value: string): string => `{"sub":"user_1","a":${value}}`
    teach(withValue(before), withValue(after))
    expect(find(withValue(before))).toBeUndefined()
    expect(find(withValue(after))).toEqual(JSON.parse(withValue(after)))
  })

  it('have numbers of fifteen digits at most', () => {
    const withNumber = (digits: string): string => `{"n":${digits}}`
    teach(withNumber('900000000000001'), withNumber('900000000000002'))
    expect(find(withNumber('999999999999999'))).toEqual({ n: 999_999_999_999_999 })
    teach(withNumber('9000000000000001'), withNumber('9000000000000002'))
    expect(find(withNumber('9000000000000003'))).toBeUndefined()
  })

  it.each([
    ['white space', (id: string) => `{"sub": "${id}"}`],
    ['a number with an exponent', (id: string) => `{"sub":"${id}","n":1e3}`],
    ['names in an order that objects do not keep', (id: string) => `{"sub":"${id}","1":2}`],
  ])('are not those that are spelled with %s', (_what, form) => {
    teach(form('a'), form('b'))
    expect(find(form('a'))).toBeUndefined()
  })

  it('are 1,024 characters long at most', () => {
    const ofLength = (length: number): string => `{"sub":"${'x'.repeat(length - 10)}"}`
    teach(ofLength(1024), ofLength(1025))
    expect(find(ofLength(1024))).toEqual(JSON.parse(ofLength(1024)))
    expect(find(ofLength(1025))).toBeUndefined()
  })

  it('are those of 64 lengths, and the one learned first makes room', () => {
    const ofLength = (length: number): string => `{"sub":"${'x'.repeat(length)}"}`
    for (let length = 0; length < 64; length++) teach(ofLength(length))
    for (let length = 0; length < 64; length++) expect(find(ofLength(length))).toBeDefined()
    teach(ofLength(64))
    expect(find(ofLength(0))).toBeUndefined()
    for (let length = 1; length <= 64; length++) expect(find(ofLength(length))).toBeDefined()
    // One that is known makes no room.
    teach(ofLength(5).replace('x', 'y'))
    expect(find(ofLength(1))).toBeDefined()
  })

  it('are learned from the first token, and from one in eight after it', () => {
    learn(one)
    expect(find(one)).toBeDefined()
    for (let time = 0; time < 7; time++) {
      learn(two)
      expect(find(two)).toBeUndefined()
    }
    learn(two)
    expect(find(two)).toBeDefined()
  })
})

const name = fc.constantFrom('a', 'b', 'sub', 'gen', '1', '')
const value = fc.oneof(
  fc.string({ unit: 'grapheme-ascii', maxLength: 4 }).filter((each) => !/["\\\x7f]/.test(each)),
  fc.nat({ max: 120 }),
  fc.array(fc.nat({ max: 12 }), { maxLength: 3 }),
  fc.constantFrom(true, null, { a: 1 }, [[1]], ['x'], -1, 0.5, 1e21),
)
const claimSet = fc.dictionary(name, value, { maxKeys: 4, noNullPrototype: true })

it('are read as the strict parser reads them, whatever was learned before, or not at all', () => {
  let read = 0
  fc.assert(
    fc.property(
      fc.array(claimSet, { minLength: 1, maxLength: 4 }),
      fc.array(fc.tuple(fc.nat(), fc.constantFrom(...'"\\,:[]{}0123456789ax é\t')), { maxLength: 3 }),
      (sets, changes) => {
        payloads = new AlikePayloads()
        const texts = sets.map((set) => JSON.stringify(set))
        teach(...texts)
        let payload = texts[0] ?? ''
        for (const [place, character] of changes) {
          const at = place % payload.length
          payload = payload.slice(0, at) + character + payload.slice(at + 1)
        }
        if (/[^ -~]/.test(payload)) return
        const found = find(payload)
        if (found === undefined) return
        read++
        expect(found).toEqual(parseStrictObject(payload))
      },
    ),
    { numRuns: 5_000 },
  )
  expect(read).toBeGreaterThan(500)
})

describe('a verifier that has seen many', () => {
  const key = ed25519Key()
  const clock = new FakeClock()
  const options = {
    issuer: goodClaims.iss,
    audience: goodClaims.aud,
    keys: staticKeys({ keys: [key.jwk] }),
    clock,
    cache: false,
  } as const
  const header = { alg: 'EdDSA', typ: 'at+jwt', kid: 'k1' }
  const claimsOf = (index: number): Claims => ({
    ...goodClaims,
    sub: `user_${randomUUID()}`,
    jti: randomUUID(),
    iat: NOW - index,
    exp: NOW + 600 + (index % 7),
    client_id: `app_${index % 3}`,
    scope: index % 2 === 0 ? 'agents:read' : 'agents:rule',
    gen: [index % 5, 10, 0],
  })

  it('gives the same principals as one that has seen none', async () => {
    const verifier = createVerifier(options)
    for (let index = 0; index < 200; index++) {
      const token = forge(header, claimsOf(index), key)
      const principal = index % 2 === 0 ? verifier.verifySync(token) : await verifier.verify(token)
      expect(principal).toEqual(createVerifier(options).verifySync(token))
      expect([principal, principal.claims, principal.generations].map(Object.isFrozen)).toEqual([true, true, true])
    }
  })

  it.each([
    ['another issuer', { iss: 'https://auth.example.org' }],
    ['another audience', { aud: 'agent-ape' }],
    ['an empty subject', { sub: '' }],
    ['an end in the past', { exp: NOW - 600 }],
    ['a start to come', { iat: NOW + 500 }],
    ['a scope that is none', { scope: 'agents  red' }],
    ['generations too many', { gen: Array(20).fill(0) }],
  ])('refuses %s as one that has seen none does', (_what, change) => {
    const verifier = createVerifier(options)
    for (let index = 0; index < 40; index++) verifier.verifySync(forge(header, claimsOf(index), key))
    const token = forge(header, { ...claimsOf(0), ...change }, key)
    const verdict = (verify: (token: string) => unknown): unknown => {
      try {
        return verify(token)
      } catch (error) {
        if (!isRejection(error)) throw error
        return [error.code, error.where]
      }
    }
    expect(verdict(verifier.verifySync)).toEqual(verdict(createVerifier(options).verifySync))
  })

  it('checks the signature of what it could read', () => {
    const verifier = createVerifier(options)
    for (let index = 0; index < 40; index++) verifier.verifySync(forge(header, claimsOf(index), key))
    const stranger = forge(header, claimsOf(1), ed25519Key())
    expect(() => verifier.verifySync(stranger)).toThrow(expect.objectContaining({ code: 'bad_signature' }))
  })
})
