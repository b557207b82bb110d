import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { targetUrl } from '../src/dpop/target-url.ts'
import { createDpopProof, generateDpopKey, importDpopKey, memoryUsedProofs } from '../src/dpop.ts'
import { FakeClock } from './support/fake-clock.ts'
import { NOW } from './support/issuer.ts'

describe('the URL of a proof', () => {
  it.each([
    ['HTTPS://API.Example.COM/runs', 'https://api.example.com/runs'],
    ['https://api.example.com', 'https://api.example.com/'],
    ['https://api.example.com:443/runs', 'https://api.example.com/runs'],
    ['https://api.example.com:0443/runs', 'https://api.example.com/runs'],
    ['https://api.example.com:/runs', 'https://api.example.com/runs'],
    ['http://api.example.com:80/runs', 'http://api.example.com/runs'],
    ['http://api.example.com:443/runs', 'http://api.example.com:443/runs'],
    ['http://[::1]:3000/a', 'http://[::1]:3000/a'],
    ['https://api.example.com/runs?a=b/../c#d', 'https://api.example.com/runs'],
    ['https://api.example.com?a=1', 'https://api.example.com/'],
    ['https://api.example.com/runs#?x', 'https://api.example.com/runs'],
    ['https://api.example.com/%72uns/%7euser', 'https://api.example.com/runs/~user'],
    ['https://api.example.com/a%2fb%c3%a9', 'https://api.example.com/a%2Fb%C3%A9'],
    ['https://api.example.com/a[0]|b^c', 'https://api.example.com/a[0]|b^c'],
  ])('%s is %s', (url, target) => {
    expect(targetUrl(url)).toBe(target)
    expect(targetUrl(target)).toBe(target)
  })

  it.each([
    ['/runs', '/runs/'],
    ['/runs', '//runs'],
    ['/runs', '/Runs'],
    ['/a/b', '/a%2Fb'],
    ['/a%20b', '/a+b'],
    ['/a%2520b', '/a%20b'],
  ])('%s is not %s', (one, two) => {
    expect(targetUrl(`https://a.example${one}`)).not.toBe(targetUrl(`https://a.example${two}`))
    expect(targetUrl(`https://a.example${two}`)).toBeDefined()
  })

  it('a final dot of the host counts', () => {
    expect(targetUrl('https://a.example./x')).not.toBe(targetUrl('https://a.example/x'))
  })

  it.each([
    '',
    '/runs',
    '//api.example.com/runs',
    'ftp://api.example.com/',
    'https:api.example.com/',
    'https:///runs',
    'https://user@api.example.com/',
    'https://api.example.com@evil.example/',
    'https://api.example.com\\@evil.example/',
    'https://api.example.com:65536/',
    'https://api.example.com:x/',
    'https://api.example.com/a/../b',
    'https://api.example.com/a/./b',
    'https://api.example.com/a/%2e%2E/b',
    'https://api.example.com/a/.%2e',
    'https://api.example.com/a b',
    'https://api.example.com/a\tb',
    'https://api.example.com/a\nb',
    'https://api.example.com/\n',
    ' https://api.example.com/',
    'https://api.example.com/%zz',
    'https://api.example.com/%4',
    'https://api.example.com/é',
    'https://bücher.example/',
    `https://api.example.com/${'x'.repeat(2048)}`,
  ])('%j is none', (url) => {
    expect(targetUrl(url)).toBeUndefined()
  })

  it('never takes long, whatever comes', () => {
    const parts = fc.constantFrom('/', '%41', '%', '.', '..', ':', '[', ']', 'a', '@', '//', '?', '#', 'A')
    fc.assert(
      fc.property(fc.array(parts, { maxLength: 300 }), (pieces) => {
        const target = targetUrl(`https://a.example/${pieces.join('')}`)
        expect(target === undefined || targetUrl(target) === target).toBe(true)
      }),
    )
  })
})

describe('used proofs in memory', () => {
  it('knows each until it ends, and counts what it forgot as used', async () => {
    const clock = new FakeClock()
    const used = memoryUsedProofs({ clock })
    expect(await used.seen('a', NOW + 65)).toBe(false)
    expect(await used.seen('a', NOW + 65)).toBe(true)
    clock.advance(65)
    expect(await used.seen('a', NOW + 65)).toBe(true)
    clock.advance(1)
    expect(await used.seen('b', NOW + 120)).toBe(false)
    // Set back: the id is gone, the instant up to which ids are gone is not.
    clock.jump(-60)
    expect(await used.seen('a', NOW + 65)).toBe(true)
    expect(await used.seen('c', NOW + 60)).toBe(true)
    expect(await used.seen('c', NOW + 70)).toBe(false)
  })

  it('makes room from the oldest, refusing what it can no longer know', async () => {
    const used = memoryUsedProofs({ clock: new FakeClock(), maxEntries: 100 })
    for (let index = 0; index < 100; index++) await used.seen(`id${index}`, NOW + 10 + index)
    expect(await used.seen('more', NOW + 200)).toBe(false)
    expect(await used.seen('id0', NOW + 10)).toBe(true)
    expect(await used.seen('new', NOW + 10)).toBe(true)
    expect(await used.seen('id1', NOW + 11)).toBe(true)
    expect(await used.seen('broken', Number.NaN)).toBe(true)
  })

  it.each([99, 10_000_001, 1.5, Number.NaN])('has bounds: %s', (maxEntries) => {
    expect(() => memoryUsedProofs({ maxEntries })).toThrow(expect.objectContaining({ code: 'bad_option' }))
  })

  it('of many at the same time lets one through', async () => {
    const used = memoryUsedProofs({ clock: new FakeClock() })
    const answers = await Promise.all(Array.from({ length: 50 }, () => used.seen('a', NOW + 65)))
    expect(answers.filter((seen) => !seen)).toHaveLength(1)
  })
})

describe('keys for proofs', () => {
  it.each(['EdDSA', 'ES256'] as const)('%s: made, kept as a JWK, read again', async (algorithm) => {
    const jwk = await generateDpopKey(algorithm)
    const key = await importDpopKey(JSON.parse(JSON.stringify(jwk)))
    expect(key).toMatchObject({ algorithm })
    expect(JSON.stringify(key)).not.toContain(jwk.d)
    const other = await generateDpopKey(algorithm)
    const error = await importDpopKey({ ...jwk, d: other.d }).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ name: 'TokensError', code: 'bad_key' })
    expect(String(error)).not.toContain(other.d)
  })

  it.each([
    undefined,
    null,
    'key',
    {},
    { kty: 'OKP', crv: 'X25519', x: 'AA', d: 'AA' },
    { kty: 'EC', crv: 'P-384', x: 'AA', y: 'AA', d: 'AA' },
    { kty: 'oct', k: 'AA' },
    { kty: 'OKP', crv: 'Ed25519', x: 'AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', d: 'AA' },
  ])('refuses %o', async (jwk) => {
    await expect(importDpopKey(jwk)).rejects.toMatchObject({ name: 'TokensError', code: 'bad_key' })
  })

  it('makes no proof for what is no URL, nor out of a wrong signature', async () => {
    const key = await importDpopKey(await generateDpopKey())
    await expect(createDpopProof({ key, method: 'GET', url: '/runs' })).rejects.toMatchObject({
      code: 'bad_option',
      message: expect.stringContaining('"url"'),
    })
    const broken = { ...key, sign: async () => new Uint8Array(63) }
    await expect(createDpopProof({ key: broken, method: 'GET', url: 'https://a.example/' })).rejects.toMatchObject({
      code: 'signing_failed',
      message: expect.stringContaining('64 bytes'),
    })
  })
})
