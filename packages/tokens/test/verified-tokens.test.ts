import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it, vi } from 'vitest'
import { engine } from '#engine'
import {
  createVerifier,
  type KeySource,
  type Principal,
  type PublicJwk,
  staticKeys,
  type VerifierOptions,
} from '../src/index.ts'
import { FakeClock } from './support/fake-clock.ts'
import { ed25519Key, goodClaims, NOW, tokenWith } from './support/issuer.ts'

const key = ed25519Key()
/** RFC 8032 section 5.1, little-endian. */
const order = Buffer.from('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010', 'hex')
const token = tokenWith({}, key)

/** A key source whose keys come and go, and an engine that counts how often it is asked. */
function setUp(options: Partial<VerifierOptions> = {}) {
  const held = new Map<string, PublicJwk>()
  const add = (): void => {
    const jwk = staticKeys({ keys: [key.jwk] }).get('k1')
    if (jwk !== undefined) held.set('k1', jwk)
  }
  add()
  const keys: KeySource = { get: (kid) => held.get(kid), load: async (kid) => held.get(kid) }
  const clock = new FakeClock()
  let checks = 0
  const ed25519 = {
    name: 'counting',
    importKey: () => ({
      verifySync: () => {
        checks++
        return true
      },
      verify: async () => true,
    }),
  }
  const verifier = createVerifier({
    issuer: goodClaims.iss,
    audience: goodClaims.aud,
    keys,
    clock,
    ed25519,
    ...options,
  })
  return { verifier, clock, held, add, checks: () => checks }
}
/** The same text in another place of memory, as it comes from the network. */
const fresh = (text: string): string => Buffer.from(text).toString()
const refusal = (code: string, where?: string, setting?: string): unknown =>
  expect.objectContaining({
    name: 'TokenRejected',
    code,
    ...(where !== undefined && { where, setting, message: expect.stringMatching(/^(The|No) .{15,}\.$/) }),
  })
const expired = refusal('expired', 'claims.exp', 'clockToleranceSeconds')

describe('the verified-token cache', () => {
  it('asks the engine once for a token that comes again, and answers the same principal', async () => {
    const { verifier, checks } = setUp()
    const first = verifier.verifySync(fresh(token))
    expect(verifier.verifySync(fresh(token))).toBe(first)
    expect(await verifier.verify(fresh(token))).toBe(first)
    expect(checks()).toBe(1)
    expect(verifier.cache.entries).toBe(1)
  })

  it('never answers for a token that only ends alike', () => {
    const { verifier } = setUp({ ed25519: undefined as never })
    verifier.verifySync(token)
    const [header, , signature] = token.split('.')
    const other = tokenWith({ sub: 'admin' }, key).split('.')[1]
    expect(() => verifier.verifySync(`${header}.${other}.${signature}`)).toThrow(refusal('bad_signature'))
    expect(verifier.verifySync(token).subject).toBe('user_1')
  })

  it('never answers for a token that only ends alike after it has grown old', () => {
    const { verifier } = setUp({ cache: { maxEntries: 2 }, ed25519: undefined as never })
    verifier.verifySync(token)
    verifier.verifySync(tokenWith({ jti: 'token_2' }, key))
    const [header, , signature] = token.split('.')
    const other = tokenWith({ sub: 'admin' }, key).split('.')[1]
    expect(() => verifier.verifySync(`${header}.${other}.${signature}`)).toThrow(refusal('bad_signature'))
  })

  it('never keeps a refused token', () => {
    const { verifier } = setUp({ ed25519: undefined as never })
    const forged = tokenWith({}, ed25519Key())
    for (let round = 0; round < 3; round++) expect(() => verifier.verifySync(forged)).toThrow(refusal('bad_signature'))
    expect(verifier.cache).toEqual({ entries: 0, bytes: 0 })
  })

  it('is of one verifier: another audience does not profit', () => {
    const { verifier } = setUp()
    const other = setUp({ audience: 'billing-worker' })
    verifier.verifySync(token)
    expect(() => other.verifier.verifySync(token)).toThrow(refusal('wrong_audience'))
  })

  it('lets a token die at exp, and not one moment later than the tolerance', () => {
    const { verifier, clock } = setUp()
    verifier.verifySync(token)
    clock.advance(604.9)
    expect(verifier.verifySync(token).subject).toBe('user_1')
    clock.advance(0.1)
    expect(() => verifier.verifySync(token)).toThrow(expired)
  })

  it('ends a token at the very moment, by either clock', () => {
    for (const [back, ahead] of [
      [0, 605],
      [-300, 305],
    ] as const) {
      const { verifier, clock } = setUp()
      verifier.verifySync(token)
      clock.advance(-back)
      clock.jump(back)
      if (back === 0) clock.jump(ahead)
      else clock.advance(ahead)
      expect(() => verifier.verifySync(token)).toThrow(expired)
    }
  })

  it('begins again at the very moment', () => {
    const { verifier, clock } = setUp()
    const later = tokenWith({ nbf: NOW + 3 }, key)
    verifier.verifySync(later)
    clock.jump(-2)
    expect(verifier.verifySync(later).subject).toBe('user_1')
    clock.jump(-1)
    expect(() => verifier.verifySync(later)).toThrow(refusal('not_yet_valid'))
  })

  it('kills tokens at once when the clock jumps ahead', () => {
    const { verifier, clock } = setUp()
    verifier.verifySync(token)
    clock.jump(3600)
    expect(() => verifier.verifySync(token)).toThrow(expired)
  })

  it('does not revive an expired token when the clock jumps back', () => {
    const { verifier, clock } = setUp()
    verifier.verifySync(token)
    clock.advance(700)
    expect(() => verifier.verifySync(token)).toThrow(expired)
    clock.jump(-3600)
    // Before its issue by that clock; and at a moment when it would be valid again by it.
    expect(() => verifier.verifySync(token)).toThrow(expired)
    clock.jump(3600 - 650)
    expect(() => verifier.verifySync(token)).toThrow(expired)
  })

  it('lets a wall clock that steps back lengthen no life', () => {
    const { verifier, clock } = setUp()
    verifier.verifySync(token)
    clock.advance(300)
    clock.jump(-300)
    clock.advance(304)
    expect(verifier.verifySync(token).subject).toBe('user_1')
    clock.advance(2)
    expect(clock.now()).toBeLessThan(NOW + 600)
    expect(() => verifier.verifySync(token)).toThrow(expired)
  })

  it('refuses a token that begins later by a clock that jumped back', () => {
    const { verifier, clock } = setUp()
    verifier.verifySync(token)
    clock.jump(-60)
    expect(() => verifier.verifySync(token)).toThrow(refusal('not_yet_valid', 'claims.iat', 'clockToleranceSeconds'))
    clock.jump(60)
    expect(verifier.verifySync(token).subject).toBe('user_1')
  })

  it('dies with its key, and all tokens of that key leave the memory', () => {
    const { verifier, held } = setUp()
    for (let index = 0; index < 10; index++) verifier.verifySync(tokenWith({ jti: `token_${index}` }, key))
    verifier.verifySync(token)
    held.delete('k1')
    expect(() => verifier.verifySync(token)).toThrow(refusal('unknown_key'))
    expect(verifier.cache).toEqual({ entries: 0, bytes: 0 })
  })

  it('verifies anew under a key that came back as another object', () => {
    const { verifier, held, add, checks } = setUp()
    verifier.verifySync(token)
    held.delete('k1')
    expect(() => verifier.verifySync(token)).toThrow(refusal('unknown_key'))
    add()
    verifier.verifySync(token)
    expect(checks()).toBe(2)
  })

  it('asks for revocation at every hit, last', () => {
    let revoked = false
    const asked: Principal[] = []
    const { verifier } = setUp({
      isRevoked: (principal) => {
        asked.push(principal)
        return revoked
      },
    })
    const principal = verifier.verifySync(token)
    revoked = true
    expect(() => verifier.verifySync(token)).toThrow(refusal('revoked', 'claims', 'isRevoked'))
    revoked = false
    expect(verifier.verifySync(token)).toBe(principal)
    expect(asked).toEqual([principal, principal, principal])
  })

  it('does not keep a token that was revoked when it first came', () => {
    const { verifier } = setUp({ isRevoked: () => true })
    expect(() => verifier.verifySync(token)).toThrow(refusal('revoked'))
    expect(verifier.cache.entries).toBe(0)
  })

  it.each<[what: string, answer: () => unknown]>([
    ['a promise', async () => true],
    ['nothing', () => undefined],
    ['text', () => 'no'],
  ])('takes %s about revocation for a fault, not for "no"', async (_what, answer) => {
    let isAsked = true
    const isRevoked = (): boolean => (isAsked ? (answer() as boolean) : false)
    const { verifier } = setUp({ isRevoked })
    await expect(verifier.verify(token)).rejects.toMatchObject({ name: 'TokensError', code: 'bad_option' })
    isAsked = false
    verifier.verifySync(token)
    isAsked = true
    expect(() => verifier.recall?.(token)).toThrow(expect.objectContaining({ code: 'bad_option' }))
  })

  it.each([Number.NaN, undefined])('lets nobody in by a clock that says %s', (time) => {
    const { verifier, clock } = setUp()
    verifier.verifySync(token)
    clock.now = () => time as number
    expect(() => verifier.verifySync(token)).toThrow(expired)
    expect(() => verifier.verifySync(tokenWith({ jti: 'other' }, key))).toThrow(expired)
  })

  it('can be switched off', () => {
    const { verifier, checks } = setUp({ cache: false })
    verifier.verifySync(token)
    verifier.verifySync(token)
    expect(checks()).toBe(2)
    expect(verifier.cache).toEqual({ entries: 0, bytes: 0 })
  })
})

describe('around the engine', () => {
  it('takes each key to it once, and asks it once for each token', async () => {
    const asked: string[] = []
    const ed25519 = {
      name: 'noting',
      importKey: () => {
        asked.push('import')
        return {
          verifySync: () => asked.push('sync') > 0,
          verify: async () => asked.push('verify') > 0,
        }
      },
    }
    const { verifier, held } = setUp({ ed25519 })
    for (let index = 0; index < 3; index++) verifier.verifySync(tokenWith({ jti: `token_${index}` }, key))
    // A key that is not in memory, but is found at once when it is asked for.
    const jwk = held.get('k1')
    held.clear()
    const late: KeySource = { get: () => undefined, load: async () => jwk }
    const other = setUp({ ed25519, keys: late })
    expect((await other.verifier.verify(token)).subject).toBe('user_1')
    expect(asked).toEqual(['import', 'sync', 'sync', 'sync', 'import', 'sync'])
  })

  it('reads a header once that holds, and again when another came', () => {
    const decode = vi.spyOn(engine, 'decodeText')
    const read = (text: string): number => {
      decode.mockClear()
      verifier.verifySync(text)
      return decode.mock.calls.length
    }
    const { verifier } = setUp({ cache: false })
    const spelling = { typ: 'application/at+jwt' }
    expect([read(token), read(token), read(tokenWith({ jti: 'other' }, key))]).toEqual([2, 1, 1])
    expect([read(tokenWith({}, key, spelling)), read(tokenWith({}, key, spelling)), read(token)]).toEqual([2, 1, 1])
  })

  it('says so where there is no key set, and where the engine cannot do without waiting', () => {
    const none: KeySource = { ready: false, get: () => undefined, load: async () => undefined }
    expect(() => setUp({ keys: none }).verifier.verifySync(token)).toThrow(
      refusal('keys_unavailable', 'header.kid', 'keys'),
    )
    expect(() => setUp({ keys: { ...none, ready: true } }).verifier.verifySync(token)).toThrow(refusal('unknown_key'))
    const slow = { name: 'slow', importKey: () => ({ verify: async () => true }) }
    const message = 'The engine cannot verify EdDSA synchronously.'
    expect(() => setUp({ ed25519: slow }).verifier.verifySync(token)).toThrow(
      expect.objectContaining({ name: 'TokensError', code: 'sync_unavailable', message }),
    )
  })

  it('refuses a key that was withdrawn while the engine was at work', async () => {
    let finish = (_verdict: boolean): void => {}
    const slow = {
      name: 'slow',
      importKey: () => ({ verify: () => new Promise<boolean>((resolve) => (finish = resolve)) }),
    }
    const { verifier, held } = setUp({ ed25519: slow })
    const verifying = verifier.verify(token)
    held.delete('k1')
    finish(true)
    await expect(verifying).rejects.toEqual(refusal('unknown_key', 'header.kid', 'keys'))
    expect(verifier.cache.entries).toBe(0)
  })

  it.each([
    ['63 bytes', (good: Buffer) => good.subarray(0, 63)],
    ['65 bytes', (good: Buffer) => Buffer.concat([good, Buffer.from([0])])],
    ['S of all ones', (good: Buffer) => Buffer.concat([good.subarray(0, 32), Buffer.alloc(32, 255)])],
    ['S equal to the group order', (good: Buffer) => Buffer.concat([good.subarray(0, 32), order])],
    ['R neutral', (good: Buffer) => Buffer.concat([Buffer.from([1]), Buffer.alloc(31), good.subarray(32)])],
  ])('never asks it about a signature of %s', (_why, change) => {
    const { verifier, checks } = setUp()
    const [header, payload, signature = ''] = token.split('.')
    const changed = change(Buffer.from(signature, 'base64url')).toString('base64url')
    expect(() => verifier.verifySync(`${header}.${payload}.${changed}`)).toThrow(refusal('bad_signature'))
    expect(checks()).toBe(0)
  })
})

describe('the bounds of the cache (row 55)', () => {
  const flood = (verifier: { verifySync(token: string): Principal }, count: number, scope = 'a'): void => {
    const engineOnly = tokenWith({}, key).split('.')[0]
    for (let index = 0; index < count; index++) {
      const claims = Buffer.from(JSON.stringify({ ...goodClaims, jti: `j${index}`, scope })).toString('base64url')
      const signature = Buffer.alloc(64)
      // R and S must look sound: the engine of these tests accepts everything that does.
      signature.writeUInt32BE(index + 2, 59)
      signature[0] = 9
      verifier.verifySync(`${engineOnly}.${claims}.${signature.toString('base64url')}`)
    }
  }

  it('holds the count', () => {
    const { verifier } = setUp({ cache: { maxEntries: 100 } })
    flood(verifier, 1000)
    expect(verifier.cache.entries).toBeLessThanOrEqual(100)
    expect(verifier.cache.entries).toBeGreaterThanOrEqual(50)
  })

  it('remembers the later of two tokens whose signatures end alike, and counts it once', () => {
    const { verifier, checks } = setUp()
    const [header, , signature] = token.split('.')
    const twin = `${header}.${tokenWith({ jti: 'token_2' }, key).split('.')[1]}.${signature}`
    verifier.verifySync(token)
    const { bytes } = verifier.cache
    expect(verifier.verifySync(twin).tokenId).toBe('token_2')
    expect(verifier.cache).toEqual({ entries: 1, bytes })
    expect(verifier.verifySync(twin).tokenId).toBe('token_2')
    expect(checks()).toBe(2)
    expect(verifier.verifySync(token).tokenId).toBe('token_1')
    expect(checks()).toBe(3)
  })

  it('holds the bytes', () => {
    const { verifier } = setUp({ cache: { maxBytes: 100_000 } })
    flood(verifier, 1000, 'agents:read '.repeat(40).trim())
    expect(verifier.cache.bytes).toBeLessThanOrEqual(100_000)
    expect(verifier.cache.entries).toBeGreaterThan(5)
  })

  it('keeps a token that is used while a flood goes by', () => {
    const { verifier, checks } = setUp({ cache: { maxEntries: 100 } })
    verifier.verifySync(token)
    for (let round = 0; round < 20; round++) {
      flood(verifier, 40)
      verifier.verifySync(token)
    }
    expect(checks()).toBeLessThan(1 + 20 * 40 + 1)
  })

  it('counts back to nothing when the key goes', () => {
    const { verifier, held } = setUp({ cache: { maxEntries: 100 } })
    flood(verifier, 480)
    verifier.verifySync(token)
    held.delete('k1')
    expect(() => verifier.verifySync(token)).toThrow(refusal('unknown_key'))
    expect(verifier.cache).toEqual({ entries: 0, bytes: 0 })
  })

  it('does not cost more memory than it says', () => {
    setFlagsFromString('--expose-gc')
    const collect: () => void = runInNewContext('gc')
    const verifiers = Array.from({ length: 3 }, () => setUp({ cache: { maxEntries: 20_000 } }).verifier)
    const shares = verifiers.map((verifier) => {
      collect()
      const before = process.memoryUsage().heapUsed
      flood(verifier, 5_000)
      collect()
      return (process.memoryUsage().heapUsed - before) / verifier.cache.bytes
    })
    // What the process keeps besides meanwhile (compiled code, a reporter's buffers) does not come each time.
    expect(Math.min(...shares)).toBeLessThan(1)
    // Nor does one of them pay with what another gives back.
    expect(verifiers.map(({ cache }) => cache.entries)).toEqual([5_000, 5_000, 5_000])
  })
})
