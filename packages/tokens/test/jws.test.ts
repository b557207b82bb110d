import { generateKeyPairSync, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type KeySource, type PublicJwk, type RejectionCode, staticKeys, type TokenSigner } from '../src/index.ts'
import { signJws, verifyJws } from '../src/jws.ts'
import { ed25519Key, es256Key, forge } from './support/issuer.ts'

const pair = generateKeyPairSync('ed25519')
const jwk = { ...pair.publicKey.export({ format: 'jwk' }), kid: 'feed-1', alg: 'EdDSA' } as unknown as PublicJwk
const signer: TokenSigner = {
  kid: 'feed-1',
  algorithm: 'EdDSA',
  sign: async (data) => sign(null, data, pair.privateKey),
}
const keys = staticKeys({ keys: [jwk] })
const type = 'rev-feed+jwt'

function encode(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
}

function signed(header: object, payload: unknown): string {
  const input = `${encode({ alg: 'EdDSA', typ: type, kid: 'feed-1', ...header })}.${encode(payload)}`
  return `${input}.${Buffer.from(sign(null, Buffer.from(input), pair.privateKey)).toString('base64url')}`
}

const cut = (statement: string): string => {
  const [first, second, third = ''] = statement.split('.')
  return [first, second, Buffer.from(third, 'base64url').subarray(0, 63).toString('base64url')].join('.')
}

describe('statements that are no access tokens', () => {
  it('are verified with their own type', async () => {
    const statement = await signJws(type, { seq: 7, name: 'ünï' }, signer)
    expect(await verifyJws(statement, { type, keys })).toEqual({ claims: { seq: 7, name: 'ünï' }, keyId: 'feed-1' })
  })

  const good = signed({}, { a: 1 })
  const refused: [why: string, statement: string, code: RejectionCode, where: string, setting?: string][] = [
    ['has another type', signed({ typ: 'at+jwt' }, { a: 1 }), 'wrong_type', 'header.typ'],
    ['has no type', signed({ typ: undefined }, { a: 1 }), 'wrong_type', 'header.typ'],
    ['names another algorithm', signed({ alg: 'HS256' }, { a: 1 }), 'unsupported_alg', 'header.alg'],
    ['names an algorithm that is not the key’s', signed({ alg: 'ES256' }, { a: 1 }), 'unsupported_alg', 'header.alg'],
    ['names no key of the issuer', signed({ kid: 'other' }, { a: 1 }), 'unknown_key', 'header.kid', 'keys'],
    ['brings a key', signed({ jwk }, { a: 1 }), 'malformed', 'header.jwk'],
    ['has a member twice', signed({}, '{"a":1,"a":2}'), 'malformed', 'claims'],
    ['is a list', signed({}, [1]), 'malformed', 'claims'],
    ['has another payload', good.replace(/\..*\./, `.${encode({ a: 2 })}.`), 'bad_signature', 'signature'],
    ['has a cut signature', cut(good), 'bad_signature', 'signature'],
    ['is too long', signed({}, { a: 'x'.repeat(9000) }), 'malformed', 'token', 'maxTokenLength'],
    ['has two segments', 'a.b', 'malformed', 'token'],
  ]
  it.each(refused)('are refused where one %s', async (_why, statement, code, where, setting) => {
    const message = expect.stringMatching(/^[A-Z].{15,}\.$/)
    const refusal = { name: 'TokenRejected', code, where, setting, message }
    await expect(verifyJws(statement, { type, keys })).rejects.toMatchObject(refusal)
  })

  it('are signed with Ed25519, by either of its names, or ES256, and with nothing else', async () => {
    const ec = es256Key('ec')
    const ed = ed25519Key('ed')
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const rsa = { ...publicKey.export({ format: 'jwk' }), kid: 'rsa', alg: 'RS256' }
    const all = staticKeys({ keys: [ec.jwk, ed.jwk, rsa] })
    for (const [alg, key] of [['ES256', ec] as const, ['EdDSA', ed] as const, ['Ed25519', ed] as const]) {
      const statement = forge({ alg, typ: type, kid: key.kid }, { alg }, key)
      expect(await verifyJws(statement, { type, keys: all })).toEqual({ claims: { alg }, keyId: key.kid })
    }
    const input = `${encode({ alg: 'RS256', typ: type, kid: 'rsa' })}.${encode({})}`
    const statement = `${input}.${sign('sha256', Buffer.from(input), privateKey).toString('base64url')}`
    await expect(verifyJws(statement, { type, keys: all })).rejects.toMatchObject({
      code: 'unsupported_alg',
      where: 'header.alg',
      message: expect.stringContaining('list'),
    })
  })

  it('may need a key that has to be fetched, and only then is it', async () => {
    let fetched = 0
    const remote: KeySource = {
      get: () => undefined,
      load: async (kid) => {
        fetched++
        return keys.get(kid)
      },
    }
    expect((await verifyJws(good, { type, keys: remote })).claims).toEqual({ a: 1 })
    expect(fetched).toBe(1)
    await verifyJws(good, { type, keys: { ...remote, get: keys.get } })
    expect(fetched).toBe(1)
  })

  it('are as long as their reader allows', async () => {
    expect((await verifyJws(good, { type, keys, maxLength: good.length })).claims).toEqual({ a: 1 })
    await expect(verifyJws(good, { type, keys, maxLength: good.length - 1 })).rejects.toMatchObject({ where: 'token' })
    const long = signed({}, { a: 'x'.repeat(8192 - good.length) })
    expect(long.length).toBeGreaterThan(8192)
    expect((await verifyJws(long, { type, keys, maxLength: 16_384 })).keyId).toBe('feed-1')
  })

  it.each(['at+jwt', 'AT+JWT', 'application/at+jwt'])('cannot be access tokens: %s', async (own) => {
    const message = expect.stringMatching(/^Access tokens are .+\.$/)
    await expect(signJws(own, {}, signer)).rejects.toMatchObject({ code: 'claims_refused', message })
    await expect(verifyJws(good, { type: own, keys })).rejects.toMatchObject({ code: 'bad_option', message })
  })

  it.each(['cat+jwt', 'at+jwts', 'x/application/at+jwt'])('may be of a type that only looks alike: %s', async (own) => {
    const statement = await signJws(own, { a: 1 }, signer)
    expect((await verifyJws(statement, { type: own, keys })).claims).toEqual({ a: 1 })
  })

  it.each([
    ['too short', new Uint8Array(63)],
    ['too long', new Uint8Array(65)],
    ['no bytes', 'x'.repeat(64) as never],
  ])('are not signed with a signature that is %s', async (_why, signature) => {
    const broken = { ...signer, sign: async () => signature }
    const message = expect.stringContaining('64 bytes')
    await expect(signJws(type, {}, broken)).rejects.toMatchObject({ code: 'signing_failed', message })
  })
})
