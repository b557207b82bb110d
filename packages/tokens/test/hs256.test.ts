import { createHmac, generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createHs256Verifier, type Hs256Options, type Hs256Verifier, signHs256, signHs256Sync } from '../src/hs256.ts'
import { createVerifier, type RejectionCode, staticKeys } from '../src/index.ts'
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
const hmac = (header: unknown, payload: unknown, with_: string | Uint8Array = secret): string => {
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

  type Verdict = [code: RejectionCode, where: string, setting?: string]
  const refusedAlike = async (verifier: Hs256Verifier, token: string, verdict: Verdict): Promise<void> => {
    const [code, where, setting] = verdict
    const sentence = expect.stringMatching(/^[A-Z].{15,}\.$/)
    const refusal = { name: 'TokenRejected', code, where, setting, message: sentence }
    await expect(verifier.verify(token)).rejects.toMatchObject(refusal)
    expect(() => verifier.verifySync(token)).toThrow(expect.objectContaining(refusal))
  }

  it.each<[why: string, token: string, verdict: Verdict]>([
    ['another secret', hmac(header, goodClaims, 'x'.repeat(32)), ['bad_signature', 'signature', 'keys']],
    ['a cut signature', signHs256Sync({ ...goodClaims }, key).slice(0, -3), ['bad_signature', 'signature', 'keys']],
    ['alg none', `${base64url({ alg: 'none' })}.${base64url(goodClaims)}.AA`, ['unsupported_alg', 'header.alg']],
    ['alg HS512', hmac({ ...header, alg: 'HS512' }, goodClaims), ['unsupported_alg', 'header.alg']],
    ['alg hs256', hmac({ ...header, alg: 'hs256' }, goodClaims), ['unsupported_alg', 'header.alg']],
    ['an EdDSA token', tokenWith({}, ed25519Key()), ['unsupported_alg', 'header.alg']],
    ['a kid that nobody has', hmac({ ...header, kid: 'k' }, goodClaims), ['unknown_key', 'header.kid', 'keys']],
    ['crit', hmac({ ...header, crit: ['x'] }, goodClaims), ['malformed', 'header.crit']],
    ['an empty kid', hmac({ ...header, kid: '' }, goodClaims), ['malformed', 'header.kid']],
    ['a payload that is a list', hmac(header, [1]), ['malformed', 'claims']],
    [
      'an access token by its type',
      hmac({ ...header, typ: 'at+jwt' }, goodClaims),
      ['wrong_type', 'header.typ', 'types'],
    ],
    ['another issuer', hmac(header, { ...goodClaims, iss: 'x' }), ['wrong_issuer', 'claims.iss', 'issuer']],
    ['no issuer', hmac(header, { ...goodClaims, iss: undefined }), ['bad_claims', 'claims.iss', 'profile']],
    ['another audience', hmac(header, { ...goodClaims, aud: 'x' }), ['wrong_audience', 'claims.aud', 'audience']],
    [
      'a list of audiences',
      hmac(header, { ...goodClaims, aud: ['agent-api'] }),
      ['bad_claims', 'claims.aud', 'profile'],
    ],
    ['no audience', hmac(header, { ...goodClaims, aud: undefined }), ['bad_claims', 'claims.aud', 'profile']],
    ['no exp', hmac(header, { ...goodClaims, exp: undefined }), ['bad_claims', 'claims.exp', 'profile']],
    ['no jti', hmac(header, { ...goodClaims, jti: undefined }), ['bad_claims', 'claims.jti', 'profile']],
    ['no client', hmac(header, { ...goodClaims, client_id: undefined }), ['bad_claims', 'claims.client_id', 'profile']],
    [
      'exp past',
      hmac(header, { ...goodClaims, iat: NOW - 60, exp: NOW - 5 }),
      ['expired', 'claims.exp', 'clockToleranceSeconds'],
    ],
    [
      'too long a life',
      hmac(header, { ...goodClaims, exp: NOW + 43_201 }),
      ['bad_claims', 'claims.exp', 'maxLifeSeconds'],
    ],
  ])('are refused with %s', async (_why, token, verdict) => {
    await refusedAlike(strict, token, verdict)
  })

  it.each<[why: string, change: Record<string, unknown>, verdict: Verdict]>([
    ['another issuer', { iss: 'x' }, ['wrong_issuer', 'claims.iss', 'issuer']],
    ['another audience', { aud: 'x' }, ['wrong_audience', 'claims.aud', 'audience']],
    ['scopes that are no list', { scopes: 'a b' }, ['bad_claims', 'claims.scopes', 'scopeClaim']],
    ['scopes that are null', { scopes: null }, ['bad_claims', 'claims.scopes', 'scopeClaim']],
    ['a number among the scopes', { scopes: ['a', 1] }, ['bad_claims', 'claims.scopes', 'scopeClaim']],
    ['a scope with a space inside', { scopes: ['a admin'] }, ['bad_claims', 'claims.scopes', 'scopeClaim']],
    ['a scope that is none', { scopes: ['a', ''] }, ['bad_claims', 'claims.scope', 'profile']],
    ['an issuer that is null', { iss: null }, ['bad_claims', 'claims.iss', 'profile']],
    ['an audience that is null', { aud: null }, ['bad_claims', 'claims.aud', 'profile']],
    ['too long a life without iat', { exp: NOW + 50_000 }, ['bad_claims', 'claims.exp', 'maxLifeSeconds']],
    ['a number as sub', { sub: 1 }, ['bad_claims', 'claims.sub', 'profile']],
  ])('are refused with %s, although that claim may be missing', async (_why, change, verdict) => {
    await refusedAlike(legacy, hmac(header, { sub: 'ada', exp: NOW + 600, ...change }), verdict)
  })

  it('say more than they must, and it is read', () => {
    const said = { sub: 'ada', exp: NOW + 600, client_id: 'web', org_id: 'acme', scope: 'admin', nonce: 'n' }
    const principal = legacy.verifySync(hmac({ alg: 'HS256' }, said))
    expect(principal).toMatchObject({ clientId: 'web', organization: 'acme', scopes: new Set() })
    // Under the other setting it is `scope` that counts.
    const lenient = createHs256Verifier({ ...base, missing: ['iss', 'aud', 'iat', 'jti'], scopeClaim: 'scope' })
    const plain = hmac(header, { ...said, scopes: ['root'] })
    expect(lenient.verifySync(plain).scopes).toEqual(new Set(['admin']))
  })

  it('have the types that are asked for', async () => {
    const own = createHs256Verifier({ ...base, types: ['session+jwt'] })
    expect(own.verifySync(hmac({ ...header, typ: 'Session+JWT' }, goodClaims)).subject).toBe('user_1')
    await refusedAlike(own, hmac(header, goodClaims), ['wrong_type', 'header.typ', 'types'])
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
    const token = signHs256Sync({ ...goodClaims }, key)
    expect(() => verifier.verifySync(token)).toThrow(
      expect.objectContaining({
        code: 'revoked',
        where: 'claims',
        setting: 'isRevoked',
        message: 'The token was revoked.',
      }),
    )
    expect(verifier.verifySync(signHs256Sync({ ...goodClaims, jti: 'token_2' }, key)).tokenId).toBe('token_2')
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

/** A DER sequence with this length and so many bytes. */
const sequence = (length: number[], bytes: number): Buffer => Buffer.from([0x30, ...length, ...Buffer.alloc(bytes, 7)])

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
    ['a DER key in lines of base64', der.toString('base64').replace(/.{64}/g, '$&\r\n')],
    ['a DER sequence of 126 bytes', sequence([0x7c], 124)],
    ['the longest DER sequence of short form', sequence([0x7f], 127)],
    ['the shortest DER sequence of long form', sequence([0x81, 0x80], 128)],
    ['a DER sequence of 64 KiB', sequence([0x83, 1, 0, 0], 65_536)],
    ['a BER sequence with a length of four bytes', sequence([0x84, 0, 0, 0, 32], 32)],
    ['a small DER key', generateKeyPairSync('ed25519').publicKey.export({ format: 'der', type: 'spki' })],
    ['a JWK', JSON.stringify(publicKey.export({ format: 'jwk' }))],
    ['a JWKS', JSON.stringify({ keys: [ed25519Key().jwk] }, null, 2)],
    ['a JWK with spaces', '{ "kty" : "OKP", "crv" : "Ed25519", "x" : "AAAA" }'],
    ['an SSH key', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAA'],
    ['an SSH key behind white space', '\n\tecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHA'],
    ['a number', 42 as never],
  ])('may not be %s', (_why, bad) => {
    const badKey = {
      name: 'TokensError',
      code: 'bad_key',
      message: expect.stringMatching(/^(An|The) HS256 secret .+\.$/),
    }
    expect(() => createHs256Verifier({ ...base, keys: [{ secret: bad }] })).toThrow(expect.objectContaining(badKey))
    expect(() => signHs256Sync({ ...goodClaims }, { secret: bad })).toThrow(expect.objectContaining(badKey))
  })

  it.each([
    ['32 bytes', new Uint8Array(32).fill(0x30)],
    ['bytes of another tag than a sequence', Buffer.from([0x31, 30, ...Buffer.alloc(30, 7)])],
    ['bytes that go on behind a sequence', Buffer.concat([sequence([31], 31), Buffer.alloc(1)])],
    ['bytes that end before a sequence does', sequence([0x82, 1, 0], 255)],
    ['bytes that begin like one without a length', sequence([0x80], 128)],
    ['base64 of chance', Buffer.alloc(48, 0x5b).toString('base64')],
    ['words that only name SSH', 'my-ssh-passphrase-of-32-characters'],
    ['text that is nearly base64', 'MCowBQYDK2VwAyEA*MCowBQYDK2VwAyEA'],
    ['text beyond ASCII', 'åäö'.repeat(6)],
  ])('may be %s', async (_what, good) => {
    const one = { secret: good }
    const verifier = createHs256Verifier({ ...base, keys: [one] })
    expect(verifier.verifySync(signHs256Sync({ ...goodClaims }, one)).subject).toBe('user_1')
    expect((await verifier.verify(hmac(header, goodClaims, good))).subject).toBe('user_1')
  })

  it.each<[why: string, options: Record<string, unknown>, path: string]>([
    ['no keys', { keys: [] }, 'keys'],
    ['five keys', { keys: Array.from({ length: 5 }, () => key) }, 'keys'],
    ['an empty kid', { keys: [key, { ...key, kid: '' }] }, 'keys.1.kid'],
    ['a kid of 129 characters', { keys: [{ ...key, kid: 'k'.repeat(129) }] }, 'keys.0.kid'],
    ['an empty issuer', { issuer: '' }, 'issuer'],
    ['an issuer of 2,049 characters', { issuer: 'i'.repeat(2049) }, 'issuer'],
    ['no audience', { audience: '' }, 'audience'],
    ['an audience of 513 characters', { audience: 'a'.repeat(513) }, 'audience'],
    ['an unknown claim as missing', { missing: ['exp'] }, 'missing.0'],
    ['another claim for scopes', { scopeClaim: 'scp' }, 'scopeClaim'],
    ['no types', { types: [] }, 'types'],
    ['a type of 33 characters', { types: ['t'.repeat(33)] }, 'types.0'],
    ['a negative tolerance', { clockToleranceSeconds: -1 }, 'clockToleranceSeconds'],
    ['a tolerance of 61 s', { clockToleranceSeconds: 61 }, 'clockToleranceSeconds'],
    ['a life of 59 s', { maxLifeSeconds: 59 }, 'maxLifeSeconds'],
    ['isRevoked that is no function', { isRevoked: true }, 'isRevoked'],
    ['a clock that is none', { clock: Date }, 'clock'],
    ['a misspelt name', { isRevokd: () => true }, 'isRevokd'],
    ['a misspelt name in a key', { keys: [{ ...key, id: 'k' }] }, 'keys.0.id'],
    ['a life of more than 366 days', { maxLifeSeconds: 366 * 86_400 + 1 }, 'maxLifeSeconds'],
  ])('does not go with %s', (_why, options, path) => {
    const message = expect.stringMatching(new RegExp(`^createHs256Verifier: "${path}" .{10,}`))
    const badOption = expect.objectContaining({ name: 'TokensError', code: 'bad_option', message })
    expect(() => createHs256Verifier({ ...base, ...options } as Hs256Options)).toThrow(badOption)
  })

  it.each<[what: string, options: Partial<Hs256Options>]>([
    ['four keys', { keys: Array.from({ length: 4 }, () => key) }],
    ['a kid of 128 characters', { keys: [key, { ...key, kid: 'k'.repeat(128) }] }],
    ['a kid of one character', { keys: [key, { ...key, kid: 'k' }] }],
    ['claims that may be missing', { missing: ['iss', 'aud', 'iat', 'jti', 'client_id', 'scope'] }],
    ['the usual claim for scopes', { scopeClaim: 'scope' }],
    ['several types, the longest too', { types: ['t'.repeat(32), 'jwt'] }],
    ['no tolerance', { clockToleranceSeconds: 0 }],
    ['the longest tolerance', { clockToleranceSeconds: 60 }],
    ['the shortest life that goes', { maxLifeSeconds: 600 }],
    ['the longest life', { maxLifeSeconds: 366 * 86_400 }],
  ])('goes with %s', (_what, options) => {
    const verifier = createHs256Verifier({ ...base, ...options })
    expect(verifier.verifySync(hmac(header, goodClaims)).subject).toBe('user_1')
  })

  it('goes with the longest and the shortest names', () => {
    const names = { issuer: 'i'.repeat(2048), audience: 'a'.repeat(512) }
    for (const { issuer, audience } of [names, { issuer: 'i', audience: 'a' }]) {
      const verifier = createHs256Verifier({ ...base, issuer, audience, maxLifeSeconds: 86_400 })
      const token = hmac(header, { ...goodClaims, iss: issuer, aud: audience })
      expect(verifier.verifySync(token)).toMatchObject({ issuer, audience })
    }
  })
})

describe('signing with HS256', () => {
  const read = (token: string): unknown[] =>
    token
      .split('.')
      .slice(0, 2)
      .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()))

  it('writes the header of a JWT, with the id of the key if it has one, and the claims as they are', () => {
    expect(read(signHs256Sync({ ...goodClaims, x: [1] }, key))).toEqual([header, { ...goodClaims, x: [1] }])
    expect(read(signHs256Sync({ ...goodClaims }, { ...key, kid: 'k' }))[0]).toStrictEqual({ ...header, kid: 'k' })
  })

  it.each([
    ['sub', { exp: NOW + 600 }],
    ['sub', { sub: '', exp: NOW + 600 }],
    ['exp', { sub: 'ada' }],
    ['exp', { sub: 'ada', exp: NOW + 0.5 }],
  ])('does nothing without %s', async (name, claims) => {
    const message = expect.stringMatching(new RegExp(`^The claim "${name}" is .{8,}\\.$`))
    await expect(signHs256(claims, key)).rejects.toMatchObject({ code: 'claims_refused', message })
    expect(() => signHs256Sync(claims, key)).toThrow(expect.objectContaining({ code: 'claims_refused', message }))
  })
})
