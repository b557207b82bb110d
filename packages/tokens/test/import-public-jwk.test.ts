import { createHash, generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { importPublicJwk, jwkThumbprint, type PublicJwk, staticKeys } from '../src/index.ts'
import { ed25519Key, es256Key } from './support/issuer.ts'

const ed = ed25519Key().jwk
const ec = es256Key().jwk
const rsaPair = (modulusLength: number, publicExponent = 65_537) =>
  generateKeyPairSync('rsa', { modulusLength, publicExponent })
const rsa = { ...rsaPair(2048).publicKey.export({ format: 'jwk' }), kid: 'r', alg: 'RS256' }
const curve = (namedCurve: string) => ({
  ...generateKeyPairSync('ec', { namedCurve }).publicKey.export({ format: 'jwk' }),
  kid: 'c',
})
const flip = (text: unknown): string => `${String(text).startsWith('A') ? 'B' : 'A'}${String(text).slice(1)}`
const isBadKey = { name: 'TokensError', code: 'bad_key' }
const badKey = expect.objectContaining(isBadKey)

describe('importing a public key', () => {
  it('copies the public members and nothing else, frozen', () => {
    const key = importPublicJwk({ ...ed, x5c: ['MIIB'], key_ops: ['verify'], ext: true, comment: 'hello' })
    expect(key).toEqual({ kty: 'OKP', alg: 'EdDSA', kid: 'k1', use: 'sig', crv: 'Ed25519', x: ed.x })
    expect(Object.isFrozen(key)).toBe(true)
  })

  it.each([
    ['Ed25519 by its new name', { ...ed, alg: 'Ed25519' }, 'Ed25519'],
    ['Ed25519 without alg', { ...ed, alg: undefined }, 'EdDSA'],
    ['P-256', ec, 'ES256'],
    ['P-256 without alg', { ...ec, alg: undefined }, 'ES256'],
    ['P-384', curve('P-384'), 'ES384'],
    ['P-521', curve('P-521'), 'ES512'],
    ['RSA', rsa, 'RS256'],
    ['RSA for PSS', { ...rsa, alg: 'PS512' }, 'PS512'],
  ])('takes %s', (_why, jwk, alg) => expect(importPublicJwk(jwk).alg).toBe(alg))

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['text', 'key'],
    ['a list', [ed]],
    ['no kty', { ...ed, kty: undefined }],
    ['an unknown kty', { ...ed, kty: 'LMS' }],
    ['a secret key', { kty: 'oct', k: 'AAAA', kid: 'k' }],
    ['no kid', { ...ed, kid: undefined }],
    ['an empty kid', { ...ed, kid: '' }],
    ['a kid of 129 characters', { ...ed, kid: 'k'.repeat(129) }],
    ['a newline in the kid', { ...ed, kid: 'a\nb' }],
    ['a number as kid', { ...ed, kid: 1 }],
    ['a private Ed25519 key', ed25519Key().privateKey.export({ format: 'jwk' })],
    ['a private part', { ...ed, d: 'AAAA' }],
    ['an empty private part', { ...ed, d: undefined, p: '' }],
    ['a private RSA part', { ...rsa, qi: 'AQ' }],
    ['a seed (RFC 9964 style)', { ...ed, priv: 'AAAA' }],
    ['a key for encryption', { ...ed, use: 'enc' }],
    ['a key that only signs', { ...ed, key_ops: ['sign'] }],
    ['Ed448', { ...ed, crv: 'Ed448' }],
    ['X25519', { ...ed, crv: 'X25519' }],
    ['Ed25519 that says ES256', { ...ed, alg: 'ES256' }],
    ['Ed25519 that says HS256', { ...ed, alg: 'HS256' }],
    ['Ed25519 that says none', { ...ed, alg: 'none' }],
    ['a padded x', { ...ed, x: `${ed.x}=` }],
    ['P-256 that says ES384', { ...ec, alg: 'ES384' }],
    ['a point off the curve', { ...ec, y: flip(ec.y) }],
    ['a short coordinate', { ...ec, x: String(ec.x).slice(4) }],
    ['no y', { ...ec, y: undefined }],
    ['secp256k1', curve('secp256k1')],
    ['a curve with a prototype name', { ...ec, crv: 'constructor' }],
    ['RSA without alg', { ...rsa, alg: undefined }],
    ['RSA that says HS256', { ...rsa, alg: 'HS256' }],
    ['RSA that says RSA-OAEP', { ...rsa, alg: 'RSA-OAEP' }],
    ['RSA of 1,024 bits', { ...rsaPair(1024).publicKey.export({ format: 'jwk' }), kid: 'r', alg: 'RS256' }],
    ['RSA of 2,040 bits', { ...rsaPair(2040).publicKey.export({ format: 'jwk' }), kid: 'r', alg: 'RS256' }],
    ['RSA with exponent 3', { ...rsaPair(2048, 3).publicKey.export({ format: 'jwk' }), kid: 'r', alg: 'RS256' }],
    ['RSA with an even exponent', { ...rsa, e: 'AQAC' }],
    ['RSA with a huge exponent', { ...rsa, e: 'AQAAAAE' }],
    [
      'RSA with a leading zero',
      { ...rsa, n: Buffer.concat([Buffer.alloc(1), Buffer.from(String(rsa.n), 'base64url')]).toString('base64url') },
    ],
    ['RSA beyond 8,192 bits', { ...rsa, n: Buffer.alloc(1025, 255).toString('base64url') }],
  ])('refuses %s', (_why, jwk) => expect(() => importPublicJwk(jwk)).toThrow(badKey))

  it('never repeats the key in its message', () => {
    try {
      importPublicJwk({ ...ed, d: 'very-secret' })
    } catch (error) {
      expect(String((error as Error).stack)).not.toContain('very-secret')
    }
  })
})

describe('a configured key set', () => {
  it('finds keys by id', async () => {
    const keys = staticKeys({ keys: [ed, ec] })
    expect(keys.get('k1')?.alg).toBe('EdDSA')
    expect(await keys.load('es')).toBe(keys.get('es'))
    expect(keys.get('__proto__')).toBeUndefined()
    expect(await keys.load('nobody')).toBeUndefined()
  })

  it('may have 32 keys, and names them in their order', () => {
    const many = Array.from({ length: 32 }, (_, index) => ({ ...ed, kid: `k${index}` }))
    expect(staticKeys({ keys: many }).kids?.()).toEqual(many.map(({ kid }) => kid))
  })

  it.each<[why: string, jwks: unknown, message: RegExp]>([
    ['nothing', undefined, /1 to 32 keys/],
    ['an empty set', { keys: [] }, /1 to 32 keys/],
    ['a list', [ed], /1 to 32 keys/],
    ['33 keys', { keys: Array.from({ length: 33 }, (_, index) => ({ ...ed, kid: `k${index}` })) }, /1 to 32 keys/],
    ['two keys of one id', { keys: [ed, { ...ec, kid: 'k1' }] }, /same kid/],
    ['one bad key among good ones', { keys: [ed, { ...ec, d: 'AAAA' }] }, /private/],
  ])('refuses %s', (_why, jwks, message) => {
    expect(() => staticKeys(jwks)).toThrow(
      expect.objectContaining({ ...isBadKey, message: expect.stringMatching(message) }),
    )
  })
})

describe('a thumbprint', () => {
  it.each([
    ['an Ed25519 key', ed, (jwk: PublicJwk) => ({ crv: jwk.crv, kty: jwk.kty, x: jwk.x })],
    ['a P-256 key', ec, (jwk: PublicJwk) => ({ crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y })],
    ['an RSA key', rsa, (jwk: PublicJwk) => ({ e: jwk.e, kty: jwk.kty, n: jwk.n })],
  ])('of %s is the hash of its members in their order (RFC 7638 section 3)', async (_what, jwk, members) => {
    const key = importPublicJwk(jwk)
    const text = JSON.stringify(members(key))
    expect(await jwkThumbprint(key)).toBe(createHash('sha256').update(text).digest('base64url'))
  })

  it('is not made of half a key', async () => {
    await expect(jwkThumbprint({ kty: 'EC', crv: 'P-256', x: 'AAAA' })).rejects.toMatchObject({
      ...isBadKey,
      message: expect.stringContaining('lacks a member'),
      cause: expect.any(Error),
    })
  })
})
