import { beforeEach, describe, expect, it } from 'vitest'
import type { Principal, PublicJwk } from '../src/index.ts'
import { KnownHeaders } from '../src/internal/open-token.ts'
import type { TrustedKey } from '../src/internal/trusted-key.ts'
import { VerifiedTokens } from '../src/internal/verified-tokens.ts'

const jwk = (kid: string): PublicJwk => ({ kty: 'OKP', alg: 'EdDSA', kid })
const [keyA, keyB] = [jwk('a'), jwk('b')]
const principal = {} as Principal
/** 100 characters, told apart where entries are found by. */
const tokenOf = (name: string): string => `${name.padStart(95, '.')}zzzz.`.slice(-100)
const entry = (name: string, key = keyA, token = tokenOf(name)) => {
  return { token, principal, key, startsAt: 0, endsAt: 1, endsAtMs: 1 }
}
/** What one of them counts for. */
const cost = 100 * 3 + 2048

describe('verified tokens', () => {
  let tokens: VerifiedTokens
  const add = (...names: string[]): void => {
    for (const name of names) tokens.add(entry(name))
  }
  const held = (...names: string[]): string[] => {
    // Asking moves entries; so each is asked for once, in the order in which that changes nothing here.
    return names.filter((name) => tokens.get(tokenOf(name)) !== undefined)
  }
  beforeEach(() => {
    tokens = new VerifiedTokens(4, 1_000_000)
  })

  it('are counted, one by one, and never more than allowed', () => {
    const counts: [number, number][] = []
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f', 'g']) {
      add(name)
      counts.push([tokens.entries, tokens.bytes / cost])
    }
    expect(counts).toEqual([
      [1, 1],
      [2, 2],
      [3, 3],
      [4, 4],
      [3, 3],
      [4, 4],
      [3, 3],
    ])
  })

  it('are all there until the bound, and then the older half goes', () => {
    add('a', 'b', 'c', 'd')
    expect(tokens.entries).toBe(4)
    add('e')
    expect(held('e', 'd', 'c')).toEqual(['e', 'd', 'c'])
    expect(held('a', 'b')).toEqual([])
  })

  it('stay for as long as they are used', () => {
    add('a', 'b', 'c')
    expect(tokens.get(tokenOf('a'))).toMatchObject({ token: tokenOf('a') })
    expect([tokens.entries, tokens.bytes]).toEqual([3, 3 * cost])
    add('d', 'e')
    expect(held('a')).toEqual(['a'])
    expect(held('b')).toEqual([])
  })

  it('move once: what was moved is not in the old half any more', () => {
    add('a', 'b', 'c')
    tokens.get(tokenOf('a'))
    tokens.get(tokenOf('b'))
    expect([tokens.entries, tokens.bytes]).toEqual([3, 3 * cost])
    tokens.purge(keyA)
    expect([tokens.entries, tokens.bytes]).toEqual([0, 0])
  })

  it('go with their key, in both halves, and no others', () => {
    tokens.add(entry('a', keyA))
    tokens.add(entry('b', keyB))
    tokens.add(entry('c', keyA))
    tokens.add(entry('d', keyB))
    tokens.purge(keyA)
    expect([tokens.entries, tokens.bytes]).toEqual([2, 2 * cost])
    expect(held('d', 'b', 'a', 'c')).toEqual(['d', 'b'])
  })

  it('are held by bytes as well', () => {
    tokens = new VerifiedTokens(1000, 4 * cost)
    add('a', 'b', 'c', 'd')
    expect([tokens.entries, tokens.bytes]).toEqual([4, 4 * cost])
    add('e')
    expect([tokens.entries, tokens.bytes]).toEqual([3, 3 * cost])
    tokens = new VerifiedTokens(1000, 4 * cost - 1)
    add('a', 'b', 'c')
    expect(tokens.entries).toBe(2)
  })

  it.each([
    [2, 2 * cost, 1],
    [2, 2 * cost - 1, 0],
    [1, 1_000_000, 0],
    [0, 0, 0],
  ])('fit within %i entries and %i bytes or are not kept', (maxEntries, maxBytes, kept) => {
    tokens = new VerifiedTokens(maxEntries, maxBytes)
    add('a')
    expect([tokens.entries, tokens.bytes]).toEqual([kept, kept * cost])
  })

  it('are told apart by the whole token, in both halves', () => {
    const twin = `!${tokenOf('a').slice(1)}`
    add('a')
    expect(tokens.get(twin)).toBeUndefined()
    add('b', 'c')
    expect(tokens.get(twin)).toBeUndefined()
    expect(held('a')).toEqual(['a'])
  })

  it('replace a twin and count it once', () => {
    const twin = `!${tokenOf('a').slice(1)}`
    add('a')
    tokens.add(entry('a', keyB, twin))
    expect([tokens.entries, tokens.bytes]).toEqual([1, cost])
    expect(tokens.get(twin)?.key).toBe(keyB)
    expect(tokens.get(tokenOf('a'))).toBeUndefined()
  })

  it.each([1, 2, 3, 4, 5])('are found by character %i of those that tell them apart', (place) => {
    const at = 100 - 8 + place
    const other = (character: string): string => tokenOf('').slice(0, at) + character + tokenOf('').slice(at + 1)
    tokens.add(entry('', keyA, other('A')))
    tokens.add(entry('', keyA, other('B')))
    expect(tokens.entries).toBe(2)
  })
})

describe('known headers', () => {
  const known = (segment: string) => ({
    segment,
    header: { alg: 'EdDSA', kid: segment, type: 'at+jwt' },
    key: {} as TrustedKey,
  })

  it('are found by the exact segment', () => {
    const headers = new KnownHeaders()
    const [one, two] = [known('one'), known('other')]
    headers.add(one)
    headers.add(two)
    for (const expected of [one, two, two, one]) {
      expect(headers.find(`${expected.segment}.x.y`, expected.segment.length)).toBe(expected)
    }
    expect(headers.find('othe.x.y', 4)).toBeUndefined()
    expect(headers.find('other2.x.y', 6)).toBeUndefined()
    expect(headers.find('xther.x.y', 5)).toBeUndefined()
    expect(headers.find('x.other', 5)).toBeUndefined()
  })

  it('are 64 at most: the next one finds an empty memory', () => {
    const headers = new KnownHeaders()
    const all = Array.from({ length: 64 }, (_, index) => known(`header-${index}`))
    for (const each of all) headers.add(each)
    for (const each of all) expect(headers.find(`${each.segment}.x.y`, each.segment.length)).toBe(each)
    headers.add(known('one more'))
    for (const each of all) expect(headers.find(`${each.segment}.x.y`, each.segment.length)).toBeUndefined()
    expect(headers.find('one more.x.y', 8)?.segment).toBe('one more')
  })
})
