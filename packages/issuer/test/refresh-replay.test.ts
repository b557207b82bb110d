import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { newRefreshToken } from '../src/random.ts'
import { newSalt, successorOf } from '../src/refresh-replay.ts'

describe('a successor', () => {
  it('is the one-step derivation of its predecessor, session and salt, with the prefix of refresh tokens', () => {
    const salt = 'A'.repeat(43)
    const expected = createHash('sha256')
      .update(Uint8Array.of(0, 0, 0, 1))
      .update('cs_refresh_old')
      .update(`countersign refresh successor v1\nsession\n${salt}`)
      .digest('base64url')
    expect(successorOf('cs_refresh_old', 'session', salt)).toBe(`cs_refresh_${expected}`)
    expect(expected).toHaveLength(43)
  })

  it('is another for another predecessor, session or salt, and the same for the same', () => {
    const [token, salt] = [newRefreshToken(), newSalt()]
    const one = successorOf(token, 'session', salt)
    expect(successorOf(token, 'session', salt)).toBe(one)
    expect(successorOf(newRefreshToken(), 'session', salt)).not.toBe(one)
    expect(successorOf(token, 'session 2', salt)).not.toBe(one)
    expect(successorOf(token, 'session', newSalt())).not.toBe(one)
  })

  it('is never made of what is no salt', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 60, unit: 'binary' }), (text) => {
        fc.pre(!/^[A-Za-z0-9_-]{43}$/.test(text))
        expect(() => successorOf('cs_refresh_old', 'session', text)).toThrow('no salt')
      }),
    )
    expect(() => successorOf('cs_refresh_old', 'session', `${'A'.repeat(43)}\n`)).toThrow('no salt')
  })
})
