import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readFernet } from '../src/index.ts'

interface Vectors {
  readonly keys: readonly string[]
  readonly cases: readonly {
    readonly key: string
    readonly madeAt: number
    readonly secret: string
    readonly token: string
  }[]
  readonly rotated: string
}
const vectors: Vectors = JSON.parse(readFileSync(new URL('vectors/fernet.json', import.meta.url), 'utf8'))
const [first = '', second = '', third = ''] = vectors.keys

/** https://github.com/fernet/spec, verify.json. */
const ofTheSpec = {
  token: 'gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==',
  secret: 'cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=',
  madeAt: 499_162_800,
}

describe('a Fernet token', () => {
  it('of the specification is read', () => {
    const options = { ttlSeconds: 60, now: ofTheSpec.madeAt + 1 }
    expect(Buffer.from(readFernet(ofTheSpec.token, [ofTheSpec.secret], options)).toString()).toBe('hello')
  })

  it.each(vectors.cases.map((one, at) => [at, one] as const))("of Python's cryptography is read: %i", (_at, one) => {
    expect(Buffer.from(readFernet(one.token, [one.key])).toString('base64')).toBe(one.secret)
    const bare = one.token.replace(/=+$/u, '')
    expect(Buffer.from(readFernet(`${bare}\n`, [one.key.replace('=', '')])).toString('base64')).toBe(one.secret)
  })

  it('of MultiFernet is read with the keys in any order', () => {
    for (const keys of [vectors.keys, [third, second, first]]) {
      expect(Buffer.from(readFernet(vectors.rotated, keys)).toString()).toBe('rotated')
    }
    expect(() => readFernet(vectors.rotated, [second, third])).toThrow(
      expect.objectContaining({ code: 'fernet_invalid' }),
    )
  })

  it.each([
    ['at its last second', 0, 60, 60, 'read'],
    ['a second later', 61, 60, 60, 'fernet_expired'],
    ['made a minute ahead', -60, 60, 60, 'read'],
    ['made further ahead', -61, 60, 60, 'fernet_expired'],
    ['of another year, if nobody asks', 1e9, undefined, 60, 'read'],
    ['with no life at all', 0, 0, 0, 'read'],
  ])('%s', (_name, after, ttlSeconds, _life, outcome) => {
    const now = ofTheSpec.madeAt + (after === 0 && ttlSeconds === 60 ? 60 : after)
    const read = () =>
      readFernet(ofTheSpec.token, [ofTheSpec.secret], { now, ...(ttlSeconds === undefined ? {} : { ttlSeconds }) })
    if (outcome === 'read') expect(Buffer.from(read()).toString()).toBe('hello')
    else expect(read).toThrow(expect.objectContaining({ code: outcome }))
  })

  it('takes no time to live below nothing', () => {
    expect(() => readFernet(ofTheSpec.token, [ofTheSpec.secret], { ttlSeconds: -1 })).toThrow(RangeError)
    expect(() => readFernet(ofTheSpec.token, [ofTheSpec.secret], { ttlSeconds: Number.NaN })).toThrow(RangeError)
  })

  it.each([
    ['', 'nothing'],
    ['gAAAAAAdwJ6w', 'too short'],
    [ofTheSpec.token.slice(0, -4), 'cut'],
    [`${ofTheSpec.token}AAAA`, 'longer'],
    [ofTheSpec.token.replaceAll('_', '/').replaceAll('-', '+'), 'of the other alphabet'],
    [ofTheSpec.token.replace('gAAAA', 'gQAAA'), 'of another version'],
    [ofTheSpec.token.replace('DA==', 'DB=='), 'with a stray bit'],
    [ofTheSpec.token.replace('==', '='), 'with half its padding'],
    ['A'.repeat(100_001), 'without end'],
  ])('%j is refused: %s', (token) => {
    expect(() => readFernet(token, [ofTheSpec.secret])).toThrow(expect.objectContaining({ code: 'fernet_invalid' }))
  })

  it.each([[[]], [['']], [['short']], [[`${first}A`]], [[first, 'not base64!']]])('needs keys: %j', (keys) => {
    expect(() => readFernet(ofTheSpec.token, keys)).toThrow(expect.objectContaining({ code: 'fernet_key_invalid' }))
  })

  it('with any bit changed is refused', () => {
    const bytes = Buffer.from(ofTheSpec.token, 'base64url')
    fc.assert(
      fc.property(fc.nat(bytes.length * 8 - 1), (bit) => {
        const changed = Buffer.from(bytes)
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        expect(() => readFernet(changed.toString('base64url'), [ofTheSpec.secret])).toThrow(
          expect.objectContaining({ code: 'fernet_invalid' }),
        )
      }),
      { numRuns: 500 },
    )
  })
})
