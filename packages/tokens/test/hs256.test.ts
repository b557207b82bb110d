import { createHmac, generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createHs256Verifier, type Hs256Options, signHs256, signHs256Sync } from '../src/hs256.ts'
import { createVerifier, staticKeys } from '../src/index.ts'
import { FakeClock } from './support/fake-clock.ts'
import { base64url, ed25519Key, goodClaims, NOW, tokenWith } from './support/issuer.ts'

const secret = 'correct horse battery staple, twice'
const key = { secret }
const clock = new FakeClock()
const base: Hs256Options = { issuer: goodClaims.iss, audience: goodClaims.aud, keys: [key], clock }
const strict = createHs256Verifier(base)
const legacy = createHs256Verifier({
  ...base,
  missing: ['iss', 'aud', 'iat', 'jti', 'client_id', 'scope'],
  scopeClaim: 'scopes',
})
const hmac = (header: unknown, payload: unknown, with_ = secret): string => {
  const input = `${base64url(header)}.${base64url(payload)}`
  return `${input}.${createHmac('sha256', with_).update(input).digest('base64url')}`
}
const header = { alg: 'HS256', typ: 'JWT' }

describe('legacy HS256 tokens', () => {
  it('verify, with everything that they say', async () => {
    const token = await signHs256({ ...goodClaims }, key)
    expect(signHs256Sync({ ...goodClaims }, key)).toBe(token)
    const principal = await strict.verify(token)
    expect(strict.verifySync(token)).toEqual(principal)
    expect(principal).toMatchObject({ subject: 'user_1', clientId: 'web', keyId: 'hs256', claims: goodClaims })
  })

  it('verify with as little as sub and exp, when the configuration says what is missing', () => {
    const claims = { sub: 'ada', exp: NOW + 600, scopes: ['tools:run', 'tools:read'] }
    expect(legacy.verifySync(signHs256Sync(claims, key))).toEqual({
      issuer: goodClaims.iss,
      subject: 'ada',
      audience: goodClaims.aud,
      scopes: new Set(['tools:run', 'tools:read']),
      ancestors: [],
      generations: [],
      keyId: 'hs256',
      expiresAt: NOW + 600,
      claims,
    })
  })

  it.each([
    ['another secret', hmac(header, goodClaims, 'x'.repeat(32)), 'bad_signature'],
    ['a cut signature', signHs256Sync({ ...goodClaims }, key).slice(0, -3), 'bad_signature'],
    ['alg none', `${base64url({ alg: 'none' })}.${base64url(goodClaims)}.AA`, 'unsupported_alg'],
    ['alg HS512', hmac({ ...header, alg: 'HS512' }, goodClaims), 'unsupported_alg'],
    ['alg hs256', hmac({ ...header, alg: 'hs256' }, goodClaims), 'unsupported_alg'],
    ['an EdDSA token', tokenWith({}, ed25519Key()), 'unsupported_alg'],
    ['a kid that nobody has', hmac({ ...header, kid: 'k' }, goodClaims), 'unknown_key'],
    ['crit', hmac({ ...header, crit: ['x'] }, goodClaims), 'malformed'],
    ['a payload that is a list', hmac(header, [1]), 'malformed'],
    ['an access token by its type', hmac({ ...header, typ: 'at+jwt' }, goodClaims), 'wrong_type'],
    ['another issuer', hmac(header, { ...goodClaims, iss: 'x' }), 'wrong_issuer'],
    ['another audience', hmac(header, { ...goodClaims, aud: 'x' }), 'wrong_audience'],
    ['no audience', hmac(header, { ...goodClaims, aud: undefined }), 'bad_claims'],
    ['no exp', hmac(header, { ...goodClaims, exp: undefined }), 'bad_claims'],
    ['no jti', hmac(header, { ...goodClaims, jti: undefined }), 'bad_claims'],
    ['exp in the past', hmac(header, { ...goodClaims, iat: NOW - 60, exp: NOW - 5 }), 'expired'],
    ['too long a life', hmac(header, { ...goodClaims, exp: NOW + 43_201 }), 'bad_claims'],
  ])('are refused with %s', async (_why, token, code) => {
    await expect(strict.verify(token)).rejects.toMatchObject({ code })
    expect(() => strict.verifySync(token)).toThrow(expect.objectContaining({ code }))
  })

  it.each([
    ['another issuer', { iss: 'x' }, 'wrong_issuer'],
    ['another audience', { aud: 'x' }, 'wrong_audience'],
    ['scopes that are no list', { scopes: 'a b' }, 'bad_claims'],
    ['scopes with a space inside', { scopes: ['a  b'] }, 'bad_claims'],
    ['too long a life without iat', { exp: NOW + 50_000 }, 'bad_claims'],
    ['a number as sub', { sub: 1 }, 'bad_claims'],
  ])('are refused with %s, although that claim may be missing', (_why, change, code) => {
    const token = hmac(header, { sub: 'ada', exp: NOW + 600, ...change })
    expect(() => legacy.verifySync(token)).toThrow(expect.objectContaining({ code }))
  })

  it('are checked by the key of their id, or by those that have none', () => {
    const keys = [{ secret: 'a'.repeat(32) }, { secret: 'b'.repeat(32) }, { kid: 'c', secret: 'c'.repeat(32) }]
    const verifier = createHs256Verifier({ ...base, keys })
    for (const one of keys) expect(verifier.verifySync(signHs256Sync({ ...goodClaims }, one)).subject).toBe('user_1')
    const crossed = hmac({ ...header, kid: 'c' }, goodClaims, 'a'.repeat(32))
    expect(() => verifier.verifySync(crossed)).toThrow(expect.objectContaining({ code: 'bad_signature' }))
    const without = hmac(header, goodClaims, 'c'.repeat(32))
    expect(() => verifier.verifySync(without)).toThrow(expect.objectContaining({ code: 'bad_signature' }))
  })

  it('are asked for revocation', () => {
    const verifier = createHs256Verifier({ ...base, isRevoked: ({ tokenId }) => tokenId === 'token_1' })
    expect(() => verifier.verifySync(signHs256Sync({ ...goodClaims }, key))).toThrow(
      expect.objectContaining({ code: 'revoked' }),
    )
  })

  it('never reach a verifier of public keys', () => {
    const ed = ed25519Key()
    const verifier = createVerifier({
      issuer: goodClaims.iss,
      audience: goodClaims.aud,
      keys: staticKeys({ keys: [ed.jwk] }),
      clock,
    })
    const token = hmac({ alg: 'HS256', typ: 'at+jwt', kid: 'k1' }, goodClaims, JSON.stringify(ed.jwk))
    expect(() => verifier.verifySync(token)).toThrow(expect.objectContaining({ code: 'unsupported_alg' }))
  })
})

describe('an HS256 secret', () => {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const pem = publicKey.export({ format: 'pem', type: 'spki' })
  const der = publicKey.export({ format: 'der', type: 'spki' })
  it.each([
    ['31 bytes', 'x'.repeat(31)],
    ['a PEM', pem],
    ['a PEM behind a newline', `\n${pem}`],
    ['a PKCS #1 PEM', publicKey.export({ format: 'pem', type: 'pkcs1' })],
    ['a DER key', der],
    ['a DER key in base64', der.toString('base64')],
    ['a DER key in base64url', der.toString('base64url')],
    ['a small DER key', generateKeyPairSync('ed25519').publicKey.export({ format: 'der', type: 'spki' })],
    ['a JWK', JSON.stringify(publicKey.export({ format: 'jwk' }))],
    ['a JWKS', JSON.stringify({ keys: [ed25519Key().jwk] }, null, 2)],
    ['an SSH key', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAA'],
    ['a number', 42 as never],
  ])('may not be %s', (_why, bad) => {
    expect(() => createHs256Verifier({ ...base, keys: [{ secret: bad }] })).toThrow(
      expect.objectContaining({ name: 'TokensError', code: 'bad_key' }),
    )
  })

  it('may be bytes', () => {
    const bytes = { secret: new Uint8Array(32).fill(0x30) }
    const verifier = createHs256Verifier({ ...base, keys: [bytes] })
    expect(verifier.verifySync(signHs256Sync({ ...goodClaims }, bytes)).subject).toBe('user_1')
  })

  it.each([
    ['no keys', { keys: [] }],
    ['five keys', { keys: Array.from({ length: 5 }, () => key) }],
    ['no audience', { audience: '' }],
    ['an unknown claim as missing', { missing: ['exp'] as never }],
  ])('does not go with %s', (_why, options) => {
    expect(() => createHs256Verifier({ ...base, ...options })).toThrow(expect.objectContaining({ code: 'bad_option' }))
  })

  it.each([
    ['sub', { exp: NOW + 600 }],
    ['exp', { sub: 'ada' }],
  ])('signs nothing without %s', async (_name, claims) => {
    await expect(signHs256(claims, key)).rejects.toMatchObject({ code: 'claims_refused' })
  })
})
