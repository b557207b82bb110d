import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { sha256Text } from '../src/dpop/digest.ts'
import {
  type CheckDpopProofOptions,
  checkDpopProof,
  createDpopProof,
  generateDpopKey,
  importDpopKey,
  isProofRejection,
  memoryUsedProofs,
  ProofRejected,
  type ProofRejectionCode,
  proofRejectionCodes,
  proofRemedies,
} from '../src/dpop.ts'
import { engine as webEngine } from '../src/engine.ts'
import type { Engine } from '../src/engine-contract.ts'
import { jwkThumbprint } from '../src/index.ts'
import { FakeClock } from './support/fake-clock.ts'
import { ed25519Key, es256Key, forge, NOW, type TestKey } from './support/issuer.ts'

const chosen = vi.hoisted(() => ({ engine: {} as Record<string, unknown> }))
vi.mock('#engine', () => ({
  engine: new Proxy({}, { get: (_target, name: string) => chosen.engine[name] }),
}))
// Not by an import: where `#engine` stands for this very file, that would be the mock.
const { engine: nodeEngine } = await vi.importActual<{ engine: Engine }>('../src/node/engine.ts')

const rfc = JSON.parse(readFileSync(new URL('vectors/rfc9449.json', import.meta.url), 'utf8'))
const [ed, es] = [ed25519Key(), es256Key()]
const URL_ = 'https://api.example.com/runs'
const TOKEN = 'header.payload.signature'

function publicOf({ jwk }: TestKey): Record<string, unknown> {
  const { kty, crv, x, y } = jwk
  return y === undefined ? { kty, crv, x } : { kty, crv, x, y }
}

function proofWith(claims: Record<string, unknown>, header: Record<string, unknown> = {}, key = es): string {
  const good = { typ: 'dpop+jwt', alg: key.signer.algorithm, jwk: publicOf(key) }
  return forge({ ...good, ...header }, { jti: 'proof_1', htm: 'POST', htu: URL_, iat: NOW, ...claims }, key)
}

/** Whatever is refused says why in a sentence, and where. */
async function check(proof: unknown, options: Partial<CheckDpopProofOptions> = {}): ReturnType<typeof checkDpopProof> {
  const clock = new FakeClock()
  const usual = { method: 'POST', url: URL_, clock, usedProofs: memoryUsedProofs({ clock }) }
  try {
    return await checkDpopProof({ ...usual, ...options, proof: proof as string } as CheckDpopProofOptions)
  } catch (error) {
    if (!isProofRejection(error)) throw error
    expect(error.message).toMatch(/^[A-Z].{15,}\.$/)
    expect(error.where).toMatch(/^(proof|header|claims|signature)(\.\w+)?$/)
    throw error
  }
}

describe.each([
  ['node:crypto', nodeEngine],
  ['webcrypto', webEngine],
])('proofs with %s', (_name, engine) => {
  beforeAll(() => {
    chosen.engine = engine as unknown as Record<string, unknown>
  })
  afterAll(() => {
    chosen.engine = nodeEngine as unknown as Record<string, unknown>
  })

  it('RFC 9449 section 5: the proof of the token request', async () => {
    const { proof, iat, method, url } = rfc.tokenRequest
    const clock = new FakeClock(iat)
    expect(await check(proof, { method, url, clock })).toMatchObject({ thumbprint: rfc.thumbprint, issuedAt: iat })
  })

  it('RFC 9449 section 7.1: the proof of the resource request', async () => {
    const { proof, iat, method, url, accessToken, ath } = rfc.resourceRequest
    const options = { method, url, accessToken, clock: new FakeClock(iat) }
    expect(await sha256Text(accessToken)).toBe(ath)
    await expect(check(proof, { ...options, expectedThumbprint: rfc.thumbprint })).resolves.toBeDefined()
    await expect(check(proof, { ...options, expectedThumbprint: ath })).rejects.toMatchObject({
      code: 'proof_wrong_key',
    })
  })

  it.each(['EdDSA', 'ES256'] as const)('%s: what is made is accepted, once', async (algorithm) => {
    const clock = new FakeClock()
    const key = await importDpopKey(await generateDpopKey(algorithm))
    const bound = { accessToken: TOKEN, expectedThumbprint: key.thumbprint }
    const usedProofs = memoryUsedProofs({ clock })
    const proof = await createDpopProof({ ...bound, key, clock, method: 'PATCH', url: `${URL_}?a=1#b`, nonce: 'n1' })
    const checked = () => check(proof, { ...bound, clock, usedProofs, method: 'PATCH', url: URL_, nonce: ['n0', 'n1'] })
    expect(await checked()).toEqual({ thumbprint: key.thumbprint, publicJwk: key.publicJwk, issuedAt: NOW })
    expect(await jwkThumbprint(key.publicJwk)).toBe(key.thumbprint)
    await expect(checked()).rejects.toMatchObject({ code: 'proof_replayed', where: 'claims.jti' })
  })

  it('many at once: none is judged by the bytes of another', async () => {
    const forged = `${proofWith({ jti: 'forged' }, {}, ed).split('.', 2).join('.')}.${proofWith({}, {}, ed).split('.')[2]}`
    const proofs = Array.from({ length: 60 }, (_, at) =>
      at % 3 === 2 ? forged : proofWith({ jti: `proof_${at}` }, {}, at % 3 === 0 ? ed : es),
    )
    const clock = new FakeClock()
    const usedProofs = memoryUsedProofs({ clock })
    const codes = await Promise.all(
      proofs.map((proof) =>
        check(proof, { clock, usedProofs }).then(
          () => 'accepted',
          (error: { readonly code: string }) => error.code,
        ),
      ),
    )
    expect(codes).toEqual(proofs.map((proof) => (proof === forged ? 'proof_bad_signature' : 'accepted')))
  })

  it('any character changed, taken or added: refused', async () => {
    for (const key of [ed, es]) {
      const good = proofWith({}, {}, key)
      await expect(check(good)).resolves.toBeDefined()
      const edit = fc.record({
        at: fc.nat(good.length - 1),
        how: fc.constantFrom('change', 'take', 'add'),
        character: fc.oneof(fc.stringMatching(/^[\w.-]$/), fc.string({ unit: 'binary', minLength: 1, maxLength: 2 })),
      })
      await fc.assert(
        fc.asyncProperty(edit, async ({ at, how, character }) => {
          const rest = good.slice(how === 'add' ? at : at + 1)
          const edited = good.slice(0, at) + (how === 'take' ? '' : character) + rest
          fc.pre(edited !== good)
          expect(isProofRejection(await check(edited).catch((error: unknown) => error))).toBe(true)
        }),
        { numRuns: 300 },
      )
    }
  })

  it('any one bit of the signature turned: refused', async () => {
    const good = proofWith({}, {}, ed)
    const dot = good.lastIndexOf('.') + 1
    for (let bit = 0; bit < 512; bit += 7) {
      const bytes = Buffer.from(good.slice(dot), 'base64url')
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      const turned = good.slice(0, dot) + bytes.toString('base64url')
      await expect(check(turned), `bit ${bit}`).rejects.toMatchObject({ code: 'proof_bad_signature' })
    }
  })
})

const other = es256Key('other')
const privateJwk = es.privateKey.export({ format: 'jwk' })
const b64 = (text: string): string => Buffer.from(text).toString('base64url')
const long = 'x'.repeat(257)

const refused: [why: string, proof: unknown, code: ProofRejectionCode, where: string][] = [
  ['is no string', 7, 'proof_malformed', 'proof'],
  ['is missing', undefined, 'proof_malformed', 'proof'],
  ['is empty', '', 'proof_malformed', 'proof'],
  ['is two proofs in one header', `${proofWith({})}, ${proofWith({})}`, 'proof_malformed', 'proof'],
  ['is too long', proofWith({ more: 'x'.repeat(4000) }), 'proof_malformed', 'proof'],
  ['has two parts', 'a.b', 'proof_malformed', 'proof'],
  ['has four parts', 'a.b.c.d', 'proof_malformed', 'proof'],
  ['has an empty part', 'a..c', 'proof_malformed', 'proof'],
  ['has a header that is no base64url', '+.b.c', 'proof_malformed', 'header'],
  ['has a header that is no object', `${b64('[]')}.b.c`, 'proof_malformed', 'header'],
  ['says its typ twice', `${b64('{"typ":"dpop+jwt","typ":"dpop+jwt"}')}.b.c`, 'proof_malformed', 'header'],
  ['has crit', proofWith({}, { crit: ['x'] }), 'proof_malformed', 'header.crit'],
  ['has b64', proofWith({}, { b64: false }), 'proof_malformed', 'header.b64'],
  ['names a key elsewhere', proofWith({}, { jku: URL_ }), 'proof_malformed', 'header.jku'],
  ['brings a certificate', proofWith({}, { x5c: ['x'] }), 'proof_malformed', 'header.x5c'],
  ['has no typ', proofWith({}, { typ: undefined }), 'proof_wrong_type', 'header.typ'],
  ['is an access token', proofWith({}, { typ: 'at+jwt' }), 'proof_wrong_type', 'header.typ'],
  ['is a JWT', proofWith({}, { typ: 'JWT' }), 'proof_wrong_type', 'header.typ'],
  ['has the typ in capitals', proofWith({}, { typ: 'DPoP+JWT' }), 'proof_wrong_type', 'header.typ'],
  ['is not signed', proofWith({}, { alg: 'none' }), 'proof_unsupported_alg', 'header.alg'],
  ['is under HMAC', proofWith({}, { alg: 'HS256' }), 'proof_unsupported_alg', 'header.alg'],
  ['is under RSA', proofWith({}, { alg: 'RS256' }), 'proof_unsupported_alg', 'header.alg'],
  ['has no alg', proofWith({}, { alg: undefined }), 'proof_unsupported_alg', 'header.alg'],
  ['has a list as alg', proofWith({}, { alg: ['ES256'] }), 'proof_unsupported_alg', 'header.alg'],
  ['has no key', proofWith({}, { jwk: undefined }), 'proof_bad_key', 'header.jwk'],
  ['has a list as key', proofWith({}, { jwk: [publicOf(es)] }), 'proof_bad_key', 'header.jwk'],
  ['has its private key', proofWith({}, { jwk: privateJwk }), 'proof_bad_key', 'header.jwk'],
  ['has a symmetric key', proofWith({}, { jwk: { kty: 'oct', k: 'AAAA' } }), 'proof_bad_key', 'header.jwk'],
  [
    'has a private member of another kind',
    proofWith({}, { jwk: { ...publicOf(es), k: 'AA' } }),
    'proof_bad_key',
    'header.jwk',
  ],
  ['has a key of another algorithm', proofWith({}, { jwk: publicOf(ed) }), 'proof_bad_key', 'header.jwk'],
  [
    'has a key for another algorithm',
    proofWith({}, { jwk: { ...publicOf(es), alg: 'ES384' } }),
    'proof_bad_key',
    'header.jwk',
  ],
  ['has a key for encryption', proofWith({}, { jwk: { ...publicOf(es), use: 'enc' } }), 'proof_bad_key', 'header.jwk'],
  [
    'has a point off the curve',
    proofWith({}, { jwk: { ...publicOf(es), y: publicOf(other).y } }),
    'proof_bad_key',
    'header.jwk',
  ],
  [
    'has a key of small order',
    proofWith({}, { jwk: { kty: 'OKP', crv: 'Ed25519', x: b64(`\x01${'\0'.repeat(31)}`) } }, ed),
    'proof_bad_key',
    'header.jwk',
  ],
  ['has a kty that is a list', proofWith({}, { jwk: { ...publicOf(es), kty: ['EC'] } }), 'proof_bad_key', 'header.jwk'],
  [
    'has another key than it was signed with',
    proofWith({}, { jwk: publicOf(other) }),
    'proof_bad_signature',
    'signature',
  ],
  ['has a short signature', proofWith({}).slice(0, -2), 'proof_bad_signature', 'signature'],
  ['has a signature that is no base64url', `${proofWith({})}=`, 'proof_malformed', 'signature'],
  [
    'has claims that are no object',
    forge({ typ: 'dpop+jwt', alg: 'ES256', jwk: publicOf(es) }, '[]', es),
    'proof_malformed',
    'claims',
  ],
  [
    'has a claim twice',
    forge({ typ: 'dpop+jwt', alg: 'ES256', jwk: publicOf(es) }, '{"jti":"a","jti":"b"}', es),
    'proof_malformed',
    'claims',
  ],
  ['has no jti', proofWith({ jti: undefined }), 'proof_bad_claims', 'claims.jti'],
  ['has an empty jti', proofWith({ jti: '' }), 'proof_bad_claims', 'claims.jti'],
  ['has a long jti', proofWith({ jti: long }), 'proof_bad_claims', 'claims.jti'],
  ['has a number as jti', proofWith({ jti: 1 }), 'proof_bad_claims', 'claims.jti'],
  ['has no htm', proofWith({ htm: undefined }), 'proof_bad_claims', 'claims.htm'],
  ['has a list as htu', proofWith({ htu: [URL_] }), 'proof_bad_claims', 'claims.htu'],
  ['has no iat', proofWith({ iat: undefined }), 'proof_bad_claims', 'claims.iat'],
  ['has text as iat', proofWith({ iat: `${NOW}` }), 'proof_bad_claims', 'claims.iat'],
  ['has a fraction as iat', proofWith({ iat: NOW + 0.5 }), 'proof_bad_claims', 'claims.iat'],
  ['has a number as ath', proofWith({ ath: 1 }), 'proof_bad_claims', 'claims.ath'],
  ['has an object as nonce', proofWith({ nonce: {} }), 'proof_bad_claims', 'claims.nonce'],
  ['is for another method', proofWith({ htm: 'GET' }), 'proof_wrong_method', 'claims.htm'],
  ['has the method in small letters', proofWith({ htm: 'post' }), 'proof_wrong_method', 'claims.htm'],
  ['is for another path', proofWith({ htu: `${URL_}/1` }), 'proof_wrong_url', 'claims.htu'],
  ['is for another host', proofWith({ htu: 'https://evil.example.com/runs' }), 'proof_wrong_url', 'claims.htu'],
  ['is for plain http', proofWith({ htu: 'http://api.example.com/runs' }), 'proof_wrong_url', 'claims.htu'],
  ['is a second too old', proofWith({ iat: NOW - 66 }), 'proof_too_old', 'claims.iat'],
  ['is a second too new', proofWith({ iat: NOW + 6 }), 'proof_too_new', 'claims.iat'],
]

describe('checkDpopProof', () => {
  beforeAll(() => {
    chosen.engine = nodeEngine as unknown as Record<string, unknown>
  })

  it.each(refused)('turns away a proof that %s', async (_why, proof, code, where) => {
    const error = await check(proof).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(ProofRejected)
    expect(error).toMatchObject({ code, where, remedy: proofRemedies[code] })
  })

  it('accepts to the second, and by both names of Ed25519', async () => {
    await expect(check(proofWith({ iat: NOW - 65 }))).resolves.toBeDefined()
    await expect(check(proofWith({ iat: NOW + 5 }))).resolves.toBeDefined()
    await expect(check(proofWith({}, { alg: 'Ed25519' }, ed))).resolves.toBeDefined()
    await expect(check(proofWith({ ath: 'unasked', nonce: 'unasked', exp: 1 }, { kid: 'k' }))).resolves.toBeDefined()
    await expect(
      check(proofWith({ iat: NOW - 6 }), { maxAgeSeconds: 5, clockToleranceSeconds: 0 }),
    ).rejects.toMatchObject({
      code: 'proof_too_old',
    })
  })

  it.each([
    ['with another token', { ath: 'x' }],
    ['without a token', {}],
    ['with the token itself', { ath: TOKEN }],
  ])('turns away a proof made %s', async (_how, claims) => {
    const expectedThumbprint = await jwkThumbprint(publicOf(es) as never)
    const bound = { accessToken: TOKEN, expectedThumbprint }
    await expect(check(proofWith(claims), bound)).rejects.toMatchObject({ code: 'proof_wrong_token' })
    await expect(check(proofWith({ ath: await sha256Text(TOKEN) }), bound)).resolves.toBeDefined()
    const foreign = proofWith({ ath: await sha256Text(TOKEN) }, {}, other)
    await expect(check(foreign, bound)).rejects.toMatchObject({ code: 'proof_wrong_key', where: 'header.jwk' })
  })

  it('turns away another key before the arithmetic that would find it unsound', async () => {
    const unsound = proofWith({}, { jwk: { kty: 'OKP', crv: 'Ed25519', x: b64(`\x01${'\0'.repeat(31)}`) } }, ed)
    const expectedThumbprint = await jwkThumbprint(publicOf(ed) as never)
    await expect(check(unsound, { expectedThumbprint })).rejects.toMatchObject({ code: 'proof_wrong_key' })
    await expect(check(unsound)).rejects.toMatchObject({ code: 'proof_bad_key' })
  })

  it.each([[undefined], ['n2'], ['']])('turns away the nonce %s', async (nonce) => {
    await expect(check(proofWith({ nonce }), { nonce: 'n1' })).rejects.toMatchObject({ code: 'proof_wrong_nonce' })
  })

  it.each([
    [{ accessToken: TOKEN }, /an "accessToken" needs the "expectedThumbprint"/],
    [{ expectedThumbprint: 'short' }, /"expectedThumbprint" \w/],
    [{ expectedThumbprint: `${rfc.thumbprint}A` }, /"expectedThumbprint" \w/],
    [{ expectedThumbprint: `A${rfc.thumbprint}` }, /"expectedThumbprint" \w/],
    [{ maxAgeSeconds: 4 }, /"maxAgeSeconds" \w/],
    [{ maxAgeSeconds: 301 }, /"maxAgeSeconds" \w/],
    [{ maxAgeSeconds: Number.NaN }, /"maxAgeSeconds" \w/],
    [{ clockToleranceSeconds: -1 }, /"clockToleranceSeconds" \w/],
    [{ clockToleranceSeconds: 61 }, /"clockToleranceSeconds" \w/],
    [{ nonce: '' }, /"nonce" \w/],
    [{ nonce: [] }, /"nonce" \w/],
    [{ method: '' }, /"method" \w/],
  ])('is not asked like this: %o', async (options, message) => {
    await expect(check(proofWith({}), options as never)).rejects.toMatchObject({
      name: 'TokensError',
      code: 'bad_option',
      message: expect.stringMatching(message),
    })
  })

  it.each(['/runs', 'https://a.example/../runs', ''])(
    'is for no URL at all, %j, on both sides: refused',
    async (url) => {
      await expect(check(proofWith({ htu: url }), { url })).rejects.toMatchObject({ code: 'proof_wrong_url' })
    },
  )

  it('uses up no id for a proof that is refused, nor that of another key', async () => {
    const clock = new FakeClock()
    const usedProofs = memoryUsedProofs({ clock })
    await expect(check(proofWith({ htm: 'GET' }), { usedProofs })).rejects.toBeInstanceOf(ProofRejected)
    await expect(check(proofWith({}, {}, other), { usedProofs })).resolves.toBeDefined()
    await expect(check(proofWith({}), { usedProofs })).resolves.toBeDefined()
  })

  it('accepts nothing while the used ones cannot be known', async () => {
    const usedProofs = { seen: () => Promise.reject(new Error('down')) }
    await expect(check(proofWith({}), { usedProofs })).rejects.toThrow('down')
  })

  it('reads whatever comes as a refusal, nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), fc.jsonValue(), async (header, claims) => {
        const made = forge({ typ: 'dpop+jwt', alg: 'ES256', jwk: publicOf(es), ...(header as object) }, claims, es)
        expect(isProofRejection(await check(made).catch((error: unknown) => error))).toBe(true)
      }),
      { numRuns: 200 },
    )
  })
})

describe('codes', () => {
  it('are all thrown by a test above, and say what to do', () => {
    const thrown = new Set<string>(refused.map(([, , code]) => code))
    for (const code of ['proof_wrong_token', 'proof_wrong_key', 'proof_wrong_nonce', 'proof_replayed']) thrown.add(code)
    expect([...thrown].sort()).toEqual([...proofRejectionCodes].sort())
    for (const code of proofRejectionCodes) expect(proofRemedies[code]).toMatch(/^[A-Z].{15,}[.]$/)
    expect(isProofRejection(Object.assign(new ProofRejected('proof_malformed', 'proof', 'x'), { code: 'y' }))).toBe(
      false,
    )
  })
})
