import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { guessBits, sharedPasswordFault } from '../src/index.ts'

const weak: readonly (readonly [why: string, password: string])[] = [
  ['is empty', ''],
  ['has 15 characters', 'Xq7-vR2_kL9+wZ4'],
  [
    'has 1,025 characters',
    randomBytes(1025)
      .toString('latin1')
      .replaceAll(/[^\x20-\x7e]/g, 'x')
      .slice(0, 1025),
  ],
  ['is one character', 'aaaaaaaaaaaaaaaaaaaaaaaa'],
  ['repeats a short one', 'Xq7-Xq7-Xq7-Xq7-Xq7-Xq7-'],
  ['is the obvious word, dressed up', 'P@ssw0rd!P@ssw0rd!2026'],
  ['is several obvious words', 'admin-password-changeme-2025'],
  ['runs along the alphabet', 'abcdefghijklmnopqrstuvwxyz'],
  ['runs along the keyboard', 'qwertyuiopasdfghjklzxcvbnm'],
  ['counts', '12345678901234567890'],
  ['is a date and a place', 'December2025London'],
  ['is two words', 'butterflybutterscotch'],
  ['is named like the tool', 'cmux-cmux-secret-token-01'],
  ['has half a character', `${'Xq7-vR2_kL9+wZ4p'}\ud800`],
]

const strong: readonly (readonly [why: string, password: string])[] = [
  ['openssl rand -base64 24 makes', randomBytes(24).toString('base64')],
  ['openssl rand -hex 16 makes', 'a91f3cd28e47b06512fd9c3b7a04e6d8'],
  ['a password manager makes', 'mV6!rT9#pL2@xQ8$'],
  ['five words make', 'gravel otter nine-pin violet cathedral'],
]

describe('a shared password', () => {
  it.each(weak)('cannot be one that %s', (_why, password) => {
    expect(sharedPasswordFault(password)).toBeTypeOf('string')
    if (password !== '') expect(sharedPasswordFault(password)).not.toContain(password)
  })

  it.each(strong)('can be what %s', (_why, password) => {
    expect(sharedPasswordFault(password)).toBeUndefined()
  })

  it('can be any 18 random bytes in base64', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 18, maxLength: 18 }), () => {
        expect(sharedPasswordFault(randomBytes(18).toString('base64url'))).toBeUndefined()
      }),
      { numRuns: 500 },
    )
  })

  it('is not made stronger by repeating it, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 40 }), fc.integer({ min: 2, max: 20 }), (text, times) => {
        expect(guessBits(text.repeat(times))).toBeLessThanOrEqual(guessBits(text) + Math.log2(times) + 1e-9)
      }),
    )
  })
})
