import { describe, expect, it, vi } from 'vitest'
import { problemOf } from '../src/fetch-contract.ts'
import type { PublicJwk } from '../src/index.ts'
import { isLoopbackHost } from '../src/insecure.ts'
import { freshSeconds } from '../src/internal/max-age.ts'
import { readKeySet } from '../src/internal/read-key-set.ts'
import { readableText } from '../src/internal/readable-text.ts'
import { RecentNames } from '../src/internal/recent-names.ts'
import { scopeSet } from '../src/internal/scope-sets.ts'
import { TokenBucket } from '../src/internal/token-bucket.ts'
import { trustKey } from '../src/internal/trusted-key.ts'
import { isOnCurve } from '../src/internal/weierstrass.ts'
import { engine } from '../src/node/engine.ts'
import { base64url, ed25519Key, es256Key } from './support/issuer.ts'

describe('freshSeconds', () => {
  it.each<[string | undefined, string | undefined, number | undefined]>([
    [undefined, undefined, undefined],
    ['', '5', undefined],
    ['public', undefined, undefined],
    ['max-age=300', undefined, 300],
    ['max-age=300', '100', 200],
    ['max-age=300', '300', 0],
    ['max-age=300', '301', 0],
    ['max-age=300', 'soon', 300],
    ['max-age=300', '-5', 300],
    ['max-age=300', '5x', 300],
    ['max-age=300', 'x5', 300],
    ['max-age=0', undefined, 0],
    ['Public , MAX-AGE="60" ', undefined, 60],
    ['max-age=1, max-age=2', undefined, 1],
    ['s-max-age=60', undefined, undefined],
    ['max-age=60s', undefined, undefined],
    ['max-age=12345678901', undefined, undefined],
    ['max-age=9999999999', undefined, 9_999_999_999],
    ['max-age=x, max-age=7', undefined, 7],
    ['max-age=300, no-store', undefined, 0],
    ['no-cache, max-age=300', undefined, 0],
    ['no-cache-please, max-age=300', undefined, 300],
  ])('of %j and Age %j is %j', (cacheControl, age, seconds) => {
    expect(freshSeconds(cacheControl, age)).toBe(seconds)
  })
})

describe('problemOf', () => {
  it.each([
    [200, undefined],
    [304, undefined],
    [0, 'redirect'],
    [300, 'redirect'],
    [302, 'redirect'],
    [399, 'redirect'],
    [201, 'status'],
    [299, 'status'],
    [400, 'status'],
    [503, 'status'],
  ])('%i is %s', (status, reason) => {
    expect(problemOf(status)).toEqual(reason && { ok: false, reason, status })
  })
})

describe('isLoopbackHost', () => {
  it.each([
    ...['localhost', 'a.localhost', '127.0.0.1', '127.255.255.255', '127.1.22.3', '[::1]'].map((name) => [name, true]),
    ...['localhost.example', 'notlocalhost', '128.0.0.1', '127.0.0', '127.0.0.1.2', '1127.0.0.1'].map((name) => [
      name,
      false,
    ]),
    ...['x127.0.0.1', '127.0.0.1x', '127.0.0.x', '::1', '[::2]', ''].map((name) => [name, false]),
  ] as [string, boolean][])('of %j is %j', (name, expected) => {
    expect(isLoopbackHost(name)).toBe(expected)
  })
})

describe('readableText', () => {
  const token = `${base64url({ alg: 'x', kid: 7 })}.${base64url({ list: ['a', null], long: 'y'.repeat(120), longer: 'y'.repeat(121) })}.z`
  it.each([
    [token, 'header.alg', 'x'],
    [token, 'header.kid', '7'],
    [token, 'claims.list', '["a",null]'],
    [token, 'claims.long', 'y'.repeat(120)],
    [token, 'claims.longer', `${'y'.repeat(120)}…`],
    [token, 'claims.alg', undefined],
    [token, 'claims.toString', undefined],
    [token, 'claims', undefined],
    [token, '', undefined],
    ['', 'header.alg', undefined],
    ['e30', 'claims.iss', undefined],
    ['!.e30', 'header.alg', undefined],
    [`${base64url([1])}.e30`, 'header.0', undefined],
  ])('of %j at %j is %j', (text, where, shown) => {
    expect(readableText(text, where)).toBe(shown)
  })
})

describe('readKeySet', () => {
  const { jwk } = ed25519Key()
  const many = (count: number): string =>
    JSON.stringify({ keys: Array.from({ length: count }, (_, index) => ({ ...jwk, kid: `k${index}` })) })

  it('takes 32 keys and not one more', () => {
    expect(readKeySet(many(32), new Map())).toMatchObject({ ok: true, skipped: 0, keys: { size: 32 } })
    expect(readKeySet(many(33), new Map())).toEqual({ ok: false, reason: 'too_many_keys' })
  })

  it('knows a key again, whatever else is said of it, and not under another one’s id', () => {
    const first = readKeySet(many(2), new Map())
    if (!first.ok) throw new Error('no set')
    const text = JSON.stringify({
      keys: [{ x5t: 'new', ...jwk, kid: 'k1' }, { ...ed25519Key().jwk, kid: 'k0' }, { kid: 7 }],
    })
    const second = readKeySet(text, first.keys)
    if (!second.ok) throw new Error('no set')
    expect(second.skipped).toBe(1)
    expect(second.keys.get('k1')?.key).toBe(first.keys.get('k1')?.key)
    expect(second.keys.get('k0')?.key).not.toBe(first.keys.get('k0')?.key)
  })
})

describe('RecentNames', () => {
  it('knows a name for its time, and then forgets it', () => {
    const names = new RecentNames(3, 1000)
    expect(names.has('a', 500)).toBe(false)
    names.add('a', 500)
    expect([names.has('a', 500), names.has('a', 1499), names.size]).toEqual([true, true, 1])
    expect([names.has('a', 1500), names.size]).toEqual([false, 0])
    names.add('b', 5000)
    expect(names.has('b', 5999)).toBe(true)
  })

  it('holds so many, and the one seen longest ago makes room', () => {
    const names = new RecentNames(2, 1000)
    names.add('a', 0)
    names.add('b', 1)
    names.add('a', 2)
    expect(names.size).toBe(2)
    names.add('c', 3)
    expect([names.size, names.has('b', 3), names.has('a', 3), names.has('c', 3)]).toEqual([2, false, true, true])
    names.clear()
    expect([names.size, names.has('a', 3)]).toEqual([0, false])
  })

  it('makes no room for a name that has its own, and puts it behind the others', () => {
    const names = new RecentNames(3, 1000)
    for (const [at, name] of ['a', 'b', 'c', 'c', 'a', 'd'].entries()) names.add(name, at)
    expect(['a', 'b', 'c', 'd'].map((name) => names.has(name, 10))).toEqual([true, false, true, true])
  })

  it('counts the time from when a name was seen last', () => {
    const names = new RecentNames(2, 1000)
    names.add('a', 0)
    names.add('a', 900)
    expect(names.has('a', 1800)).toBe(true)
  })
})

describe('TokenBucket', () => {
  it('lets a burst through, then one for each time', () => {
    const bucket = new TokenBucket(30_000, 2, 1000)
    expect([bucket.take(1000), bucket.take(1000), bucket.take(1000)]).toEqual([true, true, false])
    expect(bucket.waitMs(1000)).toBe(30_000)
    expect(bucket.waitMs(16_000)).toBe(15_000)
    expect([bucket.take(30_999), bucket.take(31_000), bucket.take(31_000)]).toEqual([false, true, false])
  })

  it('saves up no more than the burst', () => {
    const bucket = new TokenBucket(30_000, 2, 0)
    expect(bucket.waitMs(1_000_000)).toBe(0)
    expect([1, 2, 3].map(() => bucket.take(1_000_000))).toEqual([true, true, false])
  })
})

describe('scopeSet', () => {
  it('is one set for one text, however many come between', () => {
    const [first, second] = [scopeSet('a b'), scopeSet('b a')]
    expect([first, second]).toEqual([new Set(['a', 'b']), new Set(['a', 'b'])])
    expect(first).not.toBe(second)
    expect([scopeSet('a b'), scopeSet('a b'), scopeSet('b a')]).toEqual([first, first, second])
    expect(scopeSet('a b')).toBe(first)
    expect(scopeSet('')).toEqual(new Set())
    expect([scopeSet(' '), scopeSet('a  b'), scopeSet('"')]).toEqual([undefined, undefined, undefined])
  })

  it('remembers 256 texts and then begins anew', async () => {
    vi.resetModules()
    const { scopeSet: fresh } = await import('../src/internal/scope-sets.ts')
    const texts = Array.from({ length: 256 }, (_, index) => `scope-${index}`)
    const sets = texts.map((text) => fresh(text))
    expect(texts.map((text) => fresh(text))).toEqual(sets)
    expect(texts.every((text, index) => fresh(text) === sets[index])).toBe(true)
    fresh('one more')
    expect(texts.some((text, index) => fresh(text) === sets[index])).toBe(false)
  })

  it('cannot be changed by anybody', () => {
    const set = scopeSet('read') as Set<string>
    for (const change of [() => set.add('x'), () => set.delete('read'), () => set.clear()]) {
      expect(change).toThrow(/cannot be changed/)
    }
    expect(() => Object.defineProperty(set, 'has', { value: () => true })).toThrow(TypeError)
    expect(set).toEqual(new Set(['read']))
  })
})

describe('trustKey', () => {
  const jwkOf = (key: { jwk: object }): PublicJwk => key.jwk as PublicJwk

  it('answers to both names of Ed25519 and to its own of any other', () => {
    const okp = trustKey(jwkOf(ed25519Key()), engine.ed25519)
    expect(['EdDSA', 'Ed25519', 'ES256', ''].map(okp.answersTo)).toEqual([true, true, false, false])
    const ec = trustKey(jwkOf(es256Key()), engine.ed25519)
    expect(['EdDSA', 'Ed25519', 'ES256', 'ES384'].map(ec.answersTo)).toEqual([false, false, true, false])
  })

  it.each([
    ['ES256', 64],
    ['ES384', 96],
    ['ES512', 132],
    ['RS256', 256],
    ['PS512', 256],
  ])('takes no signature for %s that is not %i bytes', async (alg, length) => {
    const { subtle } = globalThis.crypto
    const usages = ['sign', 'verify'] as const
    const pair = alg.startsWith('ES')
      ? await subtle.generateKey(
          { name: 'ECDSA', namedCurve: `P-${alg === 'ES512' ? '521' : alg.slice(2)}` },
          true,
          usages,
        )
      : await subtle.generateKey(
          {
            name: alg.startsWith('PS') ? 'RSA-PSS' : 'RSASSA-PKCS1-v1_5',
            hash: `SHA-${alg.slice(2)}`,
            modulusLength: 2048,
            publicExponent: Uint8Array.of(1, 0, 1),
          },
          true,
          usages,
        )
    const exported = await subtle.exportKey('jwk', (pair as CryptoKeyPair).publicKey)
    const key = trustKey({ ...exported, alg, kid: 'k' } as PublicJwk, engine.ed25519)
    const fits = [length - 1, length, length + 1, 0].map((bytes) => key.fits(new Uint8Array(bytes)))
    expect(fits).toEqual([false, true, false, false])
  })

  it('says that a key is bad, and why, when the engine does not take it', () => {
    const cause = new Error('no')
    const refusing = {
      name: 'refusing',
      importKey: () => {
        throw cause
      },
    }
    const expected = expect.objectContaining({ code: 'bad_key', message: expect.stringMatching(/engine/), cause })
    expect(() => trustKey(jwkOf(ed25519Key()), refusing)).toThrow(expected)
  })
})

describe('isOnCurve', () => {
  const bytes = (value: bigint, length: number): Buffer =>
    Buffer.from(value.toString(16).padStart(length * 2, '0'), 'hex')
  const power = (base: bigint, exponent: bigint, prime: bigint): bigint => {
    let result = 1n
    for (let square = base, left = exponent; left > 0n; left >>= 1n, square = (square * square) % prime) {
      if (left & 1n) result = (result * square) % prime
    }
    return result
  }
  // NIST SP 800-186 section 3.2.1.3: of each curve the length, the prime and b; every prime is 3 modulo 4.
  const p256 = { length: 32, prime: 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n }
  const b = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn
  // So this is the point at x = 0, whose x has a second encoding: the prime.
  const root = power(b, (p256.prime + 1n) / 4n, p256.prime)

  it('knows a point by its one encoding', () => {
    const { length, prime } = p256
    const judge = (x: Buffer, y: Buffer): boolean => isOnCurve('P-256', x, y)
    const [x, y] = [bytes(0n, length), bytes(root, length)]
    expect(judge(x, y)).toBe(true)
    expect(judge(x, bytes(prime - root, length))).toBe(true)
    expect(judge(x, bytes(root + 1n, length))).toBe(false)
    expect(judge(bytes(1n, length), y)).toBe(false)
    expect(judge(bytes(prime, length), y)).toBe(false)
    expect([judge(bytes(0n, 31), y), judge(bytes(0n, 33), y), judge(x, bytes(root, 33))]).toEqual([false, false, false])
    expect(judge(bytes(0n, 33), bytes(root, 33))).toBe(false)
  })

  it.each(['P-256', 'P-384', 'P-521'])('refuses %s with a coordinate one prime too large', async (name) => {
    const { subtle } = globalThis.crypto
    const pair = (await subtle.generateKey({ name: 'ECDSA', namedCurve: name }, true, [
      'sign',
      'verify',
    ])) as CryptoKeyPair
    const jwk = await subtle.exportKey('jwk', pair.publicKey)
    const [x, y] = [Buffer.from(jwk.x ?? '', 'base64url'), Buffer.from(jwk.y ?? '', 'base64url')]
    expect([isOnCurve(name, x, y), isOnCurve(name, y, x), isOnCurve('P-999', x, y)]).toEqual([true, false, false])
    if (name !== 'P-521') return
    // Only here are there bits to spare.
    const more = (part: Buffer): Buffer => bytes(BigInt(`0x${part.toString('hex')}`) + 2n ** 521n - 1n, 66)
    expect([isOnCurve(name, more(x), y), isOnCurve(name, x, more(y)), isOnCurve(name, more(x), more(y))]).toEqual([
      ...[false, false, false],
    ])
  })

  it.each(['P-999', '', 'constructor', 'secp256k1'])('knows no curve %j', (name) => {
    expect(isOnCurve(name, bytes(0n, 32), bytes(root, 32))).toBe(false)
  })
})
