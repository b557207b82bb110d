import { constants, createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { engine as webEngine } from '../src/engine.ts'
import type { Ed25519Engine } from '../src/engine-contract.ts'
import { createVerifier, importPublicJwk, jwkThumbprint, staticKeys } from '../src/index.ts'
import { isSoundPublicKey, isSoundSignature } from '../src/internal/edwards25519.ts'
import { engine as nodeEngine } from '../src/node/engine.ts'
import { sodiumEd25519 } from '../src/node/sodium.ts'
import { add, B, encode, hash, L, littleEndian, mod, multiply, T8 } from './support/ed25519-math.ts'
import { FakeClock } from './support/fake-clock.ts'
import { ed25519Key, goodClaims, tokenWith } from './support/issuer.ts'

// biome-ignore lint/suspicious/noExplicitAny: vectors are data of their own shapes
const load = (name: string): any => JSON.parse(readFileSync(new URL(`vectors/${name}.json`, import.meta.url), 'utf8'))

const engines: [name: string, engine: Ed25519Engine][] = [
  ['node:crypto', nodeEngine.ed25519],
  ['webcrypto', webEngine.ed25519],
  ['sodium-native', sodiumEd25519()],
]

/** What the verifier does with key and signature before and in the engine. */
async function verdict(engine: Ed25519Engine, key: Buffer, message: Buffer, signature: Buffer): Promise<boolean> {
  if (!isSoundPublicKey(key) || !isSoundSignature(signature)) return false
  return await engine.importKey(key).verify(message, signature)
}

describe.each(engines)('the engine %s', (name, engine) => {
  const rfc = load('rfc8037-appendix-a')
  const [header, payload, signatureText] = rfc.jws.split('.')
  const key = Buffer.from(rfc.jwk.x, 'base64url')
  const message = Buffer.from(`${header}.${payload}`)
  const signature = Buffer.from(signatureText, 'base64url')

  it('verifies RFC 8037 appendix A.4', async () => {
    expect(await verdict(engine, key, message, signature)).toBe(true)
  })

  it('needs neither bytes nor key any more once it was asked', async () => {
    const lent = [Buffer.from(key), Buffer.from(message), Buffer.from(signature)] as const
    const imported = engine.importKey(lent[0])
    lent[0].fill(0)
    const asked = imported.verify(lent[1], lent[2])
    lent[1].fill(0)
    lent[2].fill(0)
    expect(await asked).toBe(true)
  })

  it('goes by its name', () => expect(engine.name).toBe(name))

  it('refuses it with any one bit of the signature turned', async () => {
    const imported = engine.importKey(key)
    for (let bit = 0; bit < 512; bit++) {
      const turned = Buffer.from(signature)
      turned[bit >> 3] = (turned[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(await imported.verify(message, turned).catch(() => false), `bit ${bit}`).toBe(false)
    }
  })

  it.each(
    load('ed25519-speccheck').cases as { about: string; publicKey: string; message: string; signature: string }[],
  )('refuses: $about', async (odd) => {
    const [oddKey, oddMessage, oddSignature] = [odd.publicKey, odd.message, odd.signature].map((hex) =>
      Buffer.from(hex, 'hex'),
    )
    if (oddKey === undefined || oddMessage === undefined || oddSignature === undefined) throw new Error('no such case')
    expect(await verdict(engine, oddKey, oddMessage, oddSignature)).toBe(false)
  })

  // A key of our own and signatures that only its holder could make: prime order A, so nothing is refused on import.
  const secret = 0x1234567890abcdefn
  const A = encode(multiply(B, secret))
  const said = Buffer.from('what was said')
  const signWith = (R: Buffer, r: bigint): Buffer =>
    Buffer.concat([R, littleEndian(mod(r + hash(R, A, said) * secret, L))])

  it('accepts a signature made by hand from the formula', async () => {
    expect(await verdict(engine, A, said, signWith(encode(multiply(B, 77n)), 77n))).toBe(true)
  })

  it.each([1n, 2n, 3n, 4n, 5n, 6n, 7n])(
    'refuses R with a small component, %i times the point of order 8',
    async (k) => {
      const R = encode(add(multiply(B, 77n), multiply(T8, k)))
      expect(await verdict(engine, A, said, signWith(R, 77n))).toBe(false)
    },
  )

  it.each([0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n])('refuses R of small order, %i times the point of order 8', async (k) => {
    expect(await verdict(engine, A, said, signWith(encode(multiply(T8, k)), 0n))).toBe(false)
  })

  it('refuses S that is one group order too large', async () => {
    const good = signWith(encode(multiply(B, 77n)), 77n)
    const s = BigInt(`0x${Buffer.from(good.subarray(32)).reverse().toString('hex')}`)
    expect(await verdict(engine, A, said, Buffer.concat([good.subarray(0, 32), littleEndian(s + L)]))).toBe(false)
  })
})

describe('a signature is judged before any engine sees it', () => {
  const R = encode(multiply(B, 77n))
  const withS = (s: bigint): boolean => isSoundSignature(Buffer.concat([R, littleEndian(s)]))
  const withR = (r: Buffer): boolean => isSoundSignature(Buffer.concat([r, littleEndian(5n)]))
  const p = 2n ** 255n - 19n

  it('by its S, which is below the group order', () => {
    expect([0n, 1n, 255n, 2n ** 252n - 1n, 2n ** 252n, L - 256n, L - 1n].map(withS)).toEqual(Array(7).fill(true))
    expect([L, L + 1n, L + 256n, 2n ** 252n + 2n ** 251n, 2n ** 253n, 2n ** 256n - 1n].map(withS)).toEqual(
      Array(6).fill(false),
    )
  })

  it('by its R, which is of no small order in any encoding', () => {
    const ys = [...Array(8).keys()].map((k) => multiply(T8, BigInt(k))[1])
    for (const y of [...ys, p, p + 1n, p - 1n]) {
      expect([withR(littleEndian(y)), withR(littleEndian(y | (1n << 255n)))]).toEqual([false, false])
      // The same but for one bit is another matter.
      for (const bit of [3n, 100n, 252n]) expect(withR(littleEndian(y ^ (1n << bit)))).toBe(true)
    }
    expect([withR(R), withR(R.subarray(1)), withR(Buffer.concat([R, R]))]).toEqual([true, false, false])
  })
})

describe('key import', () => {
  const x = (bytes: Buffer): unknown => ({ kty: 'OKP', crv: 'Ed25519', kid: 'k', x: bytes.toString('base64url') })
  const odd: [why: string, bytes: Buffer][] = [
    ...[0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n].map((k): [string, Buffer] => [
      `small order, ${k} times`,
      encode(multiply(T8, k)),
    ]),
    ...[1n, 2n, 3n, 4n, 5n, 6n, 7n].map((k): [string, Buffer] => [
      `mixed order, ${k} times`,
      encode(add(multiply(B, 5n), multiply(T8, k))),
    ]),
    ['y equal to the prime', Buffer.from(`ed${'ff'.repeat(30)}7f`, 'hex')],
    ['y one above the prime', Buffer.from(`ee${'ff'.repeat(30)}7f`, 'hex')],
    ['the largest y', Buffer.from(`${'ff'.repeat(31)}7f`, 'hex')],
    ['x zero with a sign', Buffer.from(`01${'00'.repeat(30)}80`, 'hex')],
    ['no point at all', Buffer.from(`02${'00'.repeat(31)}`, 'hex')],
    ['31 bytes', Buffer.alloc(31, 1)],
    ['a good key and one more byte', Buffer.concat([encode(multiply(B, 5n)), Buffer.alloc(1)])],
  ]
  it.each(odd)('refuses an Ed25519 key of %s', (_why, bytes) => {
    expect(() => importPublicJwk(x(bytes))).toThrow(expect.objectContaining({ name: 'TokensError', code: 'bad_key' }))
  })

  it('takes the keys that are made the usual way', () => {
    for (let made = 0; made < 20; made++) expect(importPublicJwk(ed25519Key().jwk).alg).toBe('EdDSA')
    expect(importPublicJwk(x(encode(multiply(B, 5n)))).crv).toBe('Ed25519')
  })

  it('finds the thumbprint of RFC 8037 appendix A.3', async () => {
    const { jwk, thumbprint } = load('rfc8037-appendix-a')
    expect(await jwkThumbprint(jwk)).toBe(thumbprint)
  })
})

const said = Buffer.from('what was said')
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const allAlgorithms = ['256', '384', '512'].flatMap((bits): [alg: string, jwk: object, signature: Buffer][] => {
  const ec = generateKeyPairSync('ec', { namedCurve: `P-${bits === '512' ? '521' : bits}` })
  const [es, rs, ps] = [`ES${bits}`, `RS${bits}`, `PS${bits}`]
  const signed = (options: object): Buffer => sign(`sha${bits}`, said, { key: rsa.privateKey, ...options })
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
  const jwkOf = ({ publicKey }: { publicKey: KeyObject }, alg: string): object => {
    return { ...publicKey.export({ format: 'jwk' }), kid: 'k', alg }
  }
  return [
    [es, jwkOf(ec, es), sign(`sha${bits}`, said, { key: ec.privateKey, dsaEncoding: 'ieee-p1363' })],
    [rs, jwkOf(rsa, rs), signed({})],
    [ps, jwkOf(rsa, ps), signed(pss)],
  ]
})

describe.each([
  ['node', nodeEngine],
  ['webcrypto', webEngine],
])('the other algorithms on %s', (_name, engine) => {
  it.each([...load('rfc7515-appendix-a').cases, ...load('rfc7520-section-4').cases])(
    'verifies section $section',
    async ({ jwk, jws }) => {
      const [header, payload, signature] = jws.split('.')
      const key = engine.importKey(importPublicJwk({ kid: 'k', ...jwk }), jwk.alg)
      const data = Buffer.from(`${header}.${payload}`)
      expect(await key.verify(data, Buffer.from(signature, 'base64url'))).toBe(true)
      expect(await key.verify(Buffer.from(`${header}.A${payload}`), Buffer.from(signature, 'base64url'))).toBe(false)
    },
  )

  it.each(allAlgorithms)('verifies %s and nothing else', async (algorithm, jwk, signature) => {
    const key = engine.importKey(importPublicJwk(jwk), algorithm)
    expect(await key.verify(said, signature)).toBe(true)
    for (const [other, , its] of allAlgorithms) {
      if (other !== algorithm) expect(await key.verify(said, its).catch(() => false), other).toBe(false)
    }
  })

  it('verifies the HMAC of RFC 7515 appendix A.1', async () => {
    const { k, jws } = load('rfc7515-appendix-a').hmac
    const [header, payload, signature] = jws.split('.')
    const key = engine.hmacKey(Buffer.from(k, 'base64url'))
    const data = Buffer.from(`${header}.${payload}`)
    expect(await key.verify(data, Buffer.from(signature, 'base64url'))).toBe(true)
    expect(Buffer.from(await key.sign(data)).toString('base64url')).toBe(signature)
    expect(await key.verify(Buffer.from('other'), Buffer.from(signature, 'base64url'))).toBe(false)
    expect(await key.verify(data, Buffer.from(signature, 'base64url').subarray(1))).toBe(false)
  })

  it.each([
    ['padding', 'QQ=='],
    ['standard alphabet', '+/+/'],
    ['one character', 'A'],
    ['five characters', 'AAAAA'],
    ['spare bits after one byte', 'QR'],
    ['spare bits after two bytes', 'QUB'],
    ['a space', 'Q Q'],
    ['a newline', 'QUJD\n'],
    ['a character beyond ASCII', 'QUJDŃ'],
    ['a character whose low byte is a letter', 'Łgaa'],
  ])('does not decode %s', (_why, text) => {
    expect(engine.decodeBytes(text)).toBeUndefined()
    expect(engine.decodeText(text)).toBeUndefined()
  })

  it('decodes what has one spelling, and that one only', () => {
    const character = fc.constantFrom(...'AQgw09_-', '+', '/', '=', ' ', '\n', '\0', '.', 'é', 'Ł', 'Ā', '\ud83d')
    const nearly = fc.tuple(fc.uint8Array({ maxLength: 20 }), character, fc.nat(30)).map(([bytes, odd, at]) => {
      const text = Buffer.from(bytes).toString('base64url')
      return `${text.slice(0, at)}${odd}${text.slice(at + 1)}`
    })
    const anything = fc.oneof(nearly, fc.string({ unit: character, maxLength: 12 }))
    let refused = 0
    fc.assert(
      fc.property(anything, (text) => {
        const bytes = Buffer.from(text, 'base64url')
        const canonical = bytes.toString('base64url') === text
        if (!canonical) refused++
        const decoded = engine.decodeBytes(text)
        expect(decoded && Buffer.from(decoded)).toEqual(canonical ? bytes : undefined)
      }),
      { numRuns: 5_000 },
    )
    expect(refused).toBeGreaterThan(500)
  })

  it('needs the bytes no more once it was asked, for any algorithm', async () => {
    for (const [algorithm, jwk, signature] of allAlgorithms) {
      const [data, its] = [Buffer.from(said), Buffer.from(signature)]
      const asked = engine.importKey(importPublicJwk(jwk), algorithm).verify(data, its)
      data.fill(0)
      its.fill(0)
      expect(await asked, algorithm).toBe(true)
    }
    const secret = Buffer.alloc(32, 1)
    const [key, same] = [engine.hmacKey(secret), engine.hmacKey(Buffer.from(secret))]
    secret.fill(0)
    const data = Buffer.from(said)
    const signing = key.sign(data)
    data.fill(0)
    const mac = Buffer.from(await signing)
    const [again, lent] = [Buffer.from(said), Buffer.from(mac)]
    const asked = same.verify(again, lent)
    again.fill(0)
    lent.fill(0)
    expect(await asked).toBe(true)
    for (const wrong of [mac.subarray(1), Buffer.concat([mac, mac.subarray(0, 1)]), Buffer.alloc(0)]) {
      expect(await same.verify(said, wrong)).toBe(false)
    }
  })

  it('fails where it is asked with a key that is none, and not before', async () => {
    const none = { kty: 'EC', crv: 'P-256', x: 'AAAA', y: 'AAAA' }
    const ask = async (): Promise<boolean> => await engine.importKey(none, 'ES256').verify(said, new Uint8Array(64))
    await expect(ask()).rejects.toThrow()
    // An import that fails and is never asked must end no process.
    try {
      engine.importKey(none, 'ES256')
    } catch {
      // Node says so at once.
    }
    await new Promise((resolve) => setTimeout(resolve, 5))
  })

  it('reads what is in the middle of other bytes', () => {
    const around = Uint8Array.of(1, 2, 3, 4, 5, 6)
    expect(engine.encodeBytes(around.subarray(2, 5))).toBe(Buffer.of(3, 4, 5).toString('base64url'))
    expect(Buffer.from(engine.ascii('abcdef', 4)).toString()).toBe('abcd')
  })

  it('encodes and decodes alike', () => {
    for (const length of [...Array(70).keys(), 12_287, 12_288, 12_289, 16_384, 16_385, 40_000]) {
      const bytes = Buffer.from(Array.from({ length }, (_, index) => (index * 37 + length) & 0xff))
      expect(engine.encodeBytes(bytes)).toBe(bytes.toString('base64url'))
      expect(Buffer.from(engine.decodeBytes(bytes.toString('base64url')) ?? [])).toEqual(bytes)
    }
    for (const length of [0, 1, 5461, 5462, 16_383, 16_384, 16_385, 40_000]) {
      for (const letter of ['a', '€']) {
        const text = letter.repeat(length)
        expect(engine.encodeText(text)).toBe(Buffer.from(text).toString('base64url'))
        expect(engine.decodeText(engine.encodeText(text))).toBe(text)
      }
      expect(Buffer.from(engine.ascii('a'.repeat(length + 1), length)).toString()).toBe('a'.repeat(length))
    }
    expect(engine.decodeText(engine.encodeText('åäö 🌲 \ufffd'))).toBe('åäö 🌲 \ufffd')
    expect(engine.decodeText(Buffer.from([0x7b, 0xff]).toString('base64url'))).toBeUndefined()
    expect(engine.decodeText(Buffer.from([0xed, 0xa0, 0x80]).toString('base64url'))).toBeUndefined()
  })

  it.each(['', 'a.b-c_d', 'x'.repeat(16_384), 'x'.repeat(16_385)])('gives ASCII text back as it is', (text) => {
    expect(engine.ownText(text)).toBe(text)
    expect(engine.ownText(`Bearer ${text}`.slice(7))).toBe(text)
  })
})

describe.each(engines)('a verifier on %s', (name, ed25519) => {
  const key = ed25519Key()
  const options = { issuer: goodClaims.iss, audience: goodClaims.aud, clock: new FakeClock(), ed25519 }
  const verifier = createVerifier({ ...options, keys: staticKeys({ keys: [key.jwk] }) })

  it('accepts and refuses', async () => {
    const token = tokenWith({}, key)
    expect((await verifier.verify(token)).subject).toBe('user_1')
    await expect(verifier.verify(tokenWith({}, ed25519Key()))).rejects.toMatchObject({ code: 'bad_signature' })
  })

  it('works at the same time on many tokens, each with its own answer', async () => {
    const tokens = Array.from({ length: 40 }, (_, index) =>
      tokenWith({ sub: `user_${index}` }, index % 4 === 3 ? ed25519Key() : key),
    )
    const answers = await Promise.allSettled(tokens.map((token) => verifier.verify(token)))
    expect(
      answers.map((answer) => (answer.status === 'fulfilled' ? answer.value.subject : answer.reason.code)),
    ).toEqual(tokens.map((_, index) => (index % 4 === 3 ? 'bad_signature' : `user_${index}`)))
  })

  it('says plainly whether it can do so without waiting', () => {
    const token = tokenWith({ jti: 'fresh' }, key)
    if (name === 'webcrypto')
      expect(() => verifier.verifySync(token)).toThrow(expect.objectContaining({ code: 'sync_unavailable' }))
    else expect(verifier.verifySync(token).tokenId).toBe('fresh')
  })
})

it('signs what RFC 8037 appendix A.4 signs', () => {
  const { jwk, d, jws } = load('rfc8037-appendix-a')
  const [header, payload, signature] = jws.split('.')
  const key = createPrivateKey({ key: { ...jwk, d }, format: 'jwk' })
  expect(sign(null, Buffer.from(`${header}.${payload}`), key).toString('base64url')).toBe(signature)
})
