import fc from 'fast-check'
import { CompactEncrypt, decodeProtectedHeader } from 'jose'
import { describe, expect, it } from 'vitest'
import { type KekSource, type KeyEncryptionKey, maxPlaintextBytes, open, seal, sealedWith } from '../src/index.ts'

const keyOf = (id: string, byte: number): KeyEncryptionKey => ({ id, secret: new Uint8Array(32).fill(byte) })
const sourceOf = (...keys: [KeyEncryptionKey, ...KeyEncryptionKey[]]): KekSource => ({
  current: async () => keys[0],
  find: async (id) => keys.find((key) => key.id === id),
})

const one = keyOf('kek-one', 1)
const two = keyOf('kek-two', 2)
const kek = sourceOf(one)
const contentType = 'jwk+json'
const context = { kid: 'k1', issuer: 'https://auth.example.com', purpose: 'token' }
const options = { kek, contentType, context }
const secret = new TextEncoder().encode('{"kty":"OKP","d":"…"}')

describe('seal and open', () => {
  it('gives back what was sealed, and never the same blob twice', async () => {
    const sealed = await seal(secret, options)
    expect(await open(sealed, options)).toEqual(secret)
    expect(await seal(secret, options)).not.toBe(sealed)
  })

  it('is a JWE with A256KW and A256GCM that names the key-encryption key and carries the context', async () => {
    const sealed = await seal(secret, options)
    expect(decodeProtectedHeader(sealed)).toEqual({
      alg: 'A256KW',
      enc: 'A256GCM',
      kid: 'kek-one',
      cty: contentType,
      ctx: context,
    })
    expect(sealedWith(sealed)).toBe('kek-one')
  })

  it('gives back any bytes for any context', async () => {
    const name = fc.stringMatching(/^[a-z][\w-]{0,20}$/)
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 2048 }),
        fc.dictionary(name, fc.string({ maxLength: 100 }), { maxKeys: 16 }),
        async (plaintext, anyContext) => {
          const mine = { kek, contentType, context: anyContext }
          expect(await open(await seal(plaintext, mine), mine)).toEqual(new Uint8Array(plaintext))
        },
      ),
      { numRuns: 100 },
    )
  })

  it('opens with an earlier key-encryption key, and seals with the current one', async () => {
    const old = await seal(secret, options)
    const both = { ...options, kek: sourceOf(two, one) }
    expect(await open(old, both)).toEqual(secret)
    expect(sealedWith(await seal(secret, both))).toBe('kek-two')
  })
})

describe('open refuses', () => {
  const elsewhere: [why: string, changed: Partial<typeof options>][] = [
    ['another kid', { context: { ...context, kid: 'k2' } }],
    ['another issuer', { context: { ...context, issuer: 'https://auth.example.net' } }],
    ['a context with a member less', { context: { kid: 'k1', issuer: context.issuer } as typeof context }],
    ['a context with a member more', { context: { ...context, more: '' } as typeof context }],
    ['another content type', { contentType: 'text/plain' }],
  ]
  it.each(elsewhere)('%s', async (_why, changed) => {
    const sealed = await seal(secret, options)
    await expect(open(sealed, { ...options, ...changed })).rejects.toMatchObject({ code: 'sealed_elsewhere' })
  })

  it('a value whose key-encryption key is not there, and one sealed by another key of the same id', async () => {
    const sealed = await seal(secret, options)
    await expect(open(sealed, { ...options, kek: sourceOf(two) })).rejects.toMatchObject({ code: 'kek_unknown' })
    const impostor = sourceOf(keyOf('kek-one', 9))
    await expect(open(sealed, { ...options, kek: impostor })).rejects.toMatchObject({ code: 'sealed_not_authentic' })
  })

  it('any changed character', async () => {
    const sealed = await seal(secret, options)
    await fc.assert(
      fc.asyncProperty(fc.nat(sealed.length - 1), fc.constantFrom('A', 'z', '9', '.', '=', ' '), async (at, put) => {
        const changed = sealed.slice(0, at) + put + sealed.slice(at + 1)
        fc.pre(changed !== sealed)
        // The last character of a segment may have bits that stand for nothing.
        fc.pre(changed.split('.').some((part, i) => !same(part, sealed.split('.')[i] ?? '')))
        await expect(open(changed, options)).rejects.toMatchObject({ name: 'SealingError' })
      }),
      { numRuns: 300 },
    )
  })
  const same = (a: string, b: string): boolean => Buffer.from(a, 'base64url').equals(Buffer.from(b, 'base64url'))

  const base = { alg: 'A256KW', enc: 'A256GCM', kid: 'kek-one', cty: contentType, ctx: context }
  const headers: [why: string, header: Record<string, unknown>][] = [
    ['direct encryption', { ...base, alg: 'dir' }],
    ['another key wrap', { ...base, alg: 'A256GCMKW' }],
    ['another cipher', { ...base, enc: 'A256CBC-HS512' }],
    ['compression', { ...base, zip: 'DEF' }],
    ['a key-encryption key of no name', { ...base, kid: undefined }],
    ['no content type', { ...base, cty: undefined }],
    ['no context', { ...base, ctx: undefined }],
    ['a context with a number', { ...base, ctx: { kid: 1 } }],
    ['a member of no meaning here', { ...base, typ: 'JWT' }],
  ]
  it.each(headers)('a header with %s', async (_why, header) => {
    const made = await new CompactEncrypt(secret)
      .setProtectedHeader(JSON.parse(JSON.stringify(header)))
      .encrypt(one.secret)
      .catch(() => withHeader(header))
    await expect(open(made, options)).rejects.toMatchObject({ code: 'sealed_malformed' })
  })
  async function withHeader(header: object): Promise<string> {
    const [, ...rest] = (await seal(secret, options)).split('.')
    return [Buffer.from(JSON.stringify(header)).toString('base64url'), ...rest].join('.')
  }

  it('a passphrase with any number of rounds, before deriving anything', async () => {
    // So many take minutes: longer than a test may.
    const sealed = await withHeader({ ...base, alg: 'PBES2-HS512+A256KW', p2c: 2 ** 31, p2s: 'AAAAAAAAAAA' })
    await expect(open(sealed, options)).rejects.toMatchObject({ code: 'sealed_malformed' })
  })

  const shapes: [why: string, sealed: string][] = [
    ['nothing', ''],
    ['a JWS', 'a.b.c'],
    ['a header that is not JSON', `${'A'.repeat(8)}.${'A'.repeat(54)}.${'A'.repeat(16)}..${'A'.repeat(22)}`],
    ['a trailing newline', `${'A'.repeat(8)}.${'A'.repeat(54)}.${'A'.repeat(16)}..${'A'.repeat(22)}\n`],
    [
      'more than 128 Ki characters',
      `${'A'.repeat(8)}.${'A'.repeat(54)}.${'A'.repeat(16)}.${'A'.repeat(131_072)}.${'A'.repeat(22)}`,
    ],
  ]
  it.each(shapes)('%s', async (_why, sealed) => {
    await expect(open(sealed, options)).rejects.toMatchObject({ code: 'sealed_malformed' })
    expect(() => sealedWith(sealed)).toThrow(expect.objectContaining({ code: 'sealed_malformed' }))
  })
})

describe('seal refuses', () => {
  it('more than 64 KiB, and takes just that', async () => {
    const most = new Uint8Array(maxPlaintextBytes)
    expect(await open(await seal(most, options), options)).toEqual(most)
    await expect(seal(new Uint8Array(maxPlaintextBytes + 1), options)).rejects.toMatchObject({
      code: 'plaintext_too_large',
    })
  })

  const contexts: [why: string, context: Record<string, string>][] = [
    ['17 members', Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`m${index}`, '']))],
    ['a name with a space', { 'a b': '' }],
    ['an empty name', { '': '' }],
    ['a name of 65 characters', { ['m'.repeat(65)]: '' }],
    ['a value of 1,025 characters', { m: 'x'.repeat(1025) }],
  ]
  it.each(contexts)('a context with %s', async (_why, bad) => {
    await expect(seal(secret, { ...options, context: bad })).rejects.toMatchObject({ code: 'context_invalid' })
  })
})
