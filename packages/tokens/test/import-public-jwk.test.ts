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
/** So many bytes, of which the first and the last are given, in base64url. */
const bytes = (count: number, first: number, last = 255): string =>
  Buffer.from([first, ...Buffer.alloc(count - 2, 7), last]).toString('base64url')

describe('importing a public key', () => {
  it('copies the public members and nothing else, frozen', () => {
    const key = importPublicJwk({ ...ed, x5c: ['MIIB'], key_ops: ['verify'], ext: true, comment: 'hello' })
    expect(key).toEqual({ kty: 'OKP', alg: 'EdDSA', kid: 'k1', use: 'sig', crv: 'Ed25519', x: ed.x })
    expect(Object.isFrozen(key)).toBe(true)
  })

  it.each<[what: string, jwk: object, alg: string]>([
    ['Ed25519 by its new name', { ...ed, alg: 'Ed25519' }, 'Ed25519'],
    ['Ed25519 without alg', { ...ed, alg: undefined }, 'EdDSA'],
    ['P-256', ec, 'ES256'],
    ['P-256 without alg', { ...ec, alg: undefined }, 'ES256'],
    ['P-384', curve('P-384'), 'ES384'],
    ['P-521', curve('P-521'), 'ES512'],
    ['RSA', rsa, 'RS256'],
    ...['RS384', 'RS512', 'PS256', 'PS384', 'PS512'].map(
      (alg) => [`RSA for ${alg}`, { ...rsa, alg }, alg] as [string, object, string],
    ),
  ])('takes %s', (_why, jwk, alg) => expect(importPublicJwk(jwk)).toMatchObject({ alg, use: 'sig' }))

  it.each<[why: string, jwk: unknown, message: RegExp]>([
    ['nothing', undefined, /"JWK"/],
    ['null', null, /"JWK"/],
    ['text', 'key', /"JWK"/],
    ['a list', [ed], /"(JWK|kty)"/],
    ['no kty', { ...ed, kty: undefined }, /"kty"/],
    ['an unknown kty', { ...ed, kty: 'LMS' }, /key type/],
    ['an unknown kty with the members of RSA', { ...rsa, kty: 'rsa' }, /key type/],
    ['a kty of 17 characters', { ...ed, kty: 'k'.repeat(17) }, /"kty"/],
    ['a secret key', { kty: 'oct', k: 'AAAA', kid: 'k' }, /private/],
    ['no kid', { ...ed, kid: undefined }, /"kid"/],
    ['an empty kid', { ...ed, kid: '' }, /"kid"/],
    ['a kid of 129 characters', { ...ed, kid: 'k'.repeat(129) }, /"kid"/],
    ['a newline in the kid', { ...ed, kid: 'a\nb' }, /"kid"/],
    ['half a surrogate pair in the kid', { ...ed, kid: 'a\ud800' }, /"kid"/],
    ['a number as kid', { ...ed, kid: 1 }, /"kid"/],
    ['a private Ed25519 key', { ...ed25519Key().privateKey.export({ format: 'jwk' }), kid: 'k' }, /private/],
    ...['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'].map((name): [string, unknown, RegExp] => {
      return [`a private member, ${name}`, { ...ed, [name]: 'AAAA' }, /private/]
    }),
    ['an empty private member', { ...rsa, p: '' }, /private/],
    ['a key for encryption', { ...ed, use: 'enc' }, /for signatures/],
    ['a use of 17 characters', { ...ed, use: 'u'.repeat(17) }, /"use"/],
    ['a key that only signs', { ...ed, key_ops: ['sign'] }, /for verifying/],
    ['a key for nothing', { ...ed, key_ops: [] }, /for verifying/],
    ['key_ops that are text', { ...ed, key_ops: 'verify' }, /"key_ops"/],
    ['17 operations', { ...ed, key_ops: Array.from({ length: 17 }, () => 'verify') }, /"key_ops"/],
    ['an operation of 33 characters', { ...ed, key_ops: ['verify', 'v'.repeat(33)] }, /"key_ops\.1"/],
    ['an alg of 17 characters', { ...ed, alg: 'a'.repeat(17) }, /"alg"/],
    ['Ed448', { ...ed, crv: 'Ed448' }, /curves/],
    ['X25519', { ...ed, crv: 'X25519' }, /curves/],
    ['no curve', { ...ed, crv: undefined }, /curves/],
    ['Ed25519 that says ES256', { ...ed, alg: 'ES256' }, /"alg"/],
    ['Ed25519 that says HS256', { ...ed, alg: 'HS256' }, /"alg"/],
    ['Ed25519 that says none', { ...ed, alg: 'none' }, /"alg"/],
    ['no x', { ...ed, x: undefined }, /"x"/],
    ['an empty x', { ...ed, x: '' }, /"x"/],
    ['a padded x', { ...ed, x: `${ed.x}=` }, /"x"/],
    ['an x of 2,049 characters', { ...ed, x: 'A'.repeat(2049) }, /"x"/],
    ['an x of 31 bytes', { ...ed, x: `${String(ed.x).slice(0, 41)}A` }, /prime order/],
    ['an x of 33 bytes', { ...ed, x: `${String(ed.x).slice(0, 42)}AA` }, /prime order/],
    ['P-256 that says ES384', { ...ec, alg: 'ES384' }, /"alg"/],
    ['a point off the curve', { ...ec, y: flip(ec.y) }, /point on the curve/],
    ['a short coordinate', { ...ec, x: String(ec.x).slice(4) }, /point on the curve/],
    ['no x of two', { ...ec, x: undefined }, /"x"/],
    ['no y', { ...ec, y: undefined }, /"y"/],
    ['no EC curve', { ...ec, crv: undefined }, /EC curve/],
    ['secp256k1', curve('secp256k1'), /EC curve/],
    ['a curve with a prototype name', { ...ec, crv: 'constructor' }, /EC curve/],
    ['RSA without alg', { ...rsa, alg: undefined }, /"alg"/],
    ['RSA that says HS256', { ...rsa, alg: 'HS256' }, /"alg"/],
    ['RSA that says RSA-OAEP', { ...rsa, alg: 'RSA-OAEP' }, /"alg"/],
    ['RSA of 1,024 bits', { ...rsa, n: rsaPair(1024).publicKey.export({ format: 'jwk' }).n }, /2048 to 8192 bits/],
    ['RSA of 2,047 bits', { ...rsa, n: bytes(256, 0x7f) }, /2048 to 8192 bits/],
    ['RSA beyond 8,192 bits', { ...rsa, n: bytes(1025, 1) }, /2048 to 8192 bits/],
    ['RSA with a leading zero', { ...rsa, n: bytes(258, 0) }, /2048 to 8192 bits/],
    ['RSA with an even modulus', { ...rsa, n: bytes(256, 255, 254) }, /modulus is odd/],
    [
      'RSA with exponent 3',
      { ...rsaPair(2048, 3).publicKey.export({ format: 'jwk' }), kid: 'r', alg: 'RS256' },
      /exponent/,
    ],
    ['RSA with an exponent of 65535', { ...rsa, e: bytes(2, 255) }, /exponent/],
    ['RSA with an even exponent', { ...rsa, e: 'AQAC' }, /exponent/],
    ['RSA with a huge exponent', { ...rsa, e: bytes(5, 1) }, /exponent/],
    ['RSA without n', { ...rsa, n: undefined }, /"n"/],
    ['RSA without e', { ...rsa, e: undefined }, /"e"/],
  ])('refuses %s', (_why, jwk, message) => {
    const sentence = expect.stringMatching(new RegExp(`^[A-Z].*${message.source}.*\\.$`))
    expect(() => importPublicJwk(jwk)).toThrow(expect.objectContaining({ ...isBadKey, message: sentence }))
  })

  it.each<[what: string, jwk: Record<string, unknown>]>([
    ['the longest names', { ...ed, kid: 'k'.repeat(128), key_ops: ['v'.repeat(32), 'verify'] }],
    ['16 operations', { ...ed, key_ops: Array.from({ length: 16 }, () => 'verify') }],
    ['a kid beyond ASCII', { ...ed, kid: 'nyckel 🌲' }],
    ['a modulus of exactly 2,048 bits', { ...rsa, n: bytes(256, 128) }],
    ['a modulus of exactly 8,192 bits', { ...rsa, n: bytes(1024, 255) }],
    ['the smallest exponent', { ...rsa, e: 'AQAB' }],
    ['the largest exponent', { ...rsa, e: bytes(4, 255) }],
  ])('takes %s', (_what, jwk) => {
    const { kid, n, e } = importPublicJwk(jwk)
    expect({ kid, n, e }).toEqual({ kid: jwk.kid, n: jwk.n, e: jwk.e })
  })

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
    ['two keys of one id', { keys: [ed, { ...ec, kid: 'k1' }] }, /^keys\[1\]: .*same kid/],
    ['one bad key among good ones', { keys: [ed, { ...ec, d: 'AAAA' }] }, /^keys\[1\]: .*private/],
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
