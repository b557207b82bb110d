import { generateKeyPairSync, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type PublicJwk, staticKeys, type TokenSigner } from '../src/index.ts'
import { signJws, verifyJws } from '../src/jws.ts'

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

describe('statements that are no access tokens', () => {
  it('are verified with their own type', async () => {
    const statement = await signJws(type, { seq: 7, name: 'ünï' }, signer)
    expect(await verifyJws(statement, { type, keys })).toEqual({ claims: { seq: 7, name: 'ünï' }, keyId: 'feed-1' })
  })

  const good = signed({}, { a: 1 })
  const refused: [why: string, statement: string, code: string][] = [
    ['has another type', signed({ typ: 'at+jwt' }, { a: 1 }), 'wrong_type'],
    ['has no type', signed({ typ: undefined }, { a: 1 }), 'wrong_type'],
    ['names another algorithm', signed({ alg: 'HS256' }, { a: 1 }), 'unsupported_alg'],
    ['names an algorithm that is not the key’s', signed({ alg: 'ES256' }, { a: 1 }), 'unsupported_alg'],
    ['names no key of the issuer', signed({ kid: 'other' }, { a: 1 }), 'unknown_key'],
    ['brings a key', signed({ jwk }, { a: 1 }), 'malformed'],
    ['has a member twice', signed({}, '{"a":1,"a":2}'), 'malformed'],
    ['is a list', signed({}, [1]), 'malformed'],
    ['has another payload', `${good.split('.')[0]}.${encode({ a: 2 })}.${good.split('.')[2]}`, 'bad_signature'],
    ['is too long', signed({}, { a: 'x'.repeat(9000) }), 'malformed'],
    ['has two segments', 'a.b', 'malformed'],
  ]
  it.each(refused)('are refused where one %s', async (_why, statement, code) => {
    await expect(verifyJws(statement, { type, keys })).rejects.toMatchObject({ name: 'TokenRejected', code })
  })

  it('cannot be access tokens', async () => {
    await expect(signJws('AT+JWT', {}, signer)).rejects.toMatchObject({ code: 'claims_refused' })
    await expect(verifyJws(good, { type: 'application/at+jwt', keys })).rejects.toMatchObject({ code: 'bad_option' })
  })

  it('are not signed with a signature of the wrong length', async () => {
    const broken = { ...signer, sign: async () => new Uint8Array(63) }
    await expect(signJws(type, {}, broken)).rejects.toMatchObject({ code: 'signing_failed' })
  })
})
