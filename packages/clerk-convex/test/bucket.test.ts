import fc from 'fast-check'
import { expect, it } from 'vitest'
import { bucket } from '../src/index.ts'

const users = Array.from({ length: 20_000 }, (_, at) => `user_${at}`)

it('takes in about the share that was asked for, of ids that differ in one digit', () => {
  for (const percent of [1, 10, 25, 50, 90]) {
    const taken = users.filter((user) => bucket(user, 'cutover') < percent).length
    expect(Math.abs(taken / users.length - percent / 100)).toBeLessThan(0.01)
  }
})

it('keeps everybody in who was in at a smaller share', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.double({ min: 0, max: 100, noNaN: true }), (key, salt, percent) => {
      const place = bucket(key, salt)
      expect(place).toBe(bucket(key, salt))
      expect(place >= 0 && place < 100).toBe(true)
      if (place < percent) expect(place < Math.min(100, percent * 2.5)).toBe(true)
    }),
  )
})

it('deals anew with another salt: who is in under one is in under the other by chance only', () => {
  const both = users.filter((user) => bucket(user, 'a') < 10 && bucket(user, 'b') < 10).length
  expect(Math.abs(both - 200)).toBeLessThan(60)
})

// Computed by another program, over UTF-16LE: FNV-1a, then MurmurHash3's finaliser.
it('is the same for ever', () => {
  expect(
    [bucket('user_1', 'cutover'), bucket('', ''), bucket('ä\u{1f600}', 'x')].map((place) => place.toFixed(6)),
  ).toEqual(['64.800459', '57.267563', '49.789620'])
})
