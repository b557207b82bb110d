import { testClock } from '@countersign-tooling/clock'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FeedAge } from '../src/internal/feed-age.ts'
import { NOW } from './support/feed.ts'

describe('the age of what is held', () => {
  it('counts from the issuer’s instant, not from receipt', () => {
    const clock = testClock()
    const age = new FeedAge(clock)
    expect(age.seconds()).toBe(Number.POSITIVE_INFINITY)
    age.see(NOW - 20)
    age.hold(NOW - 20)
    expect(age.seconds()).toBe(20)
    clock.advance(5)
    expect(age.seconds()).toBe(25)
    age.see(NOW)
    expect(age.seconds()).toBe(25)
    age.hold(NOW)
    expect(age.seconds()).toBe(5)
    age.hold(NOW - 1)
    expect(age.seconds()).toBe(5)
  })

  it('grows while the machine is suspended, and while the wall clock stands back', () => {
    const clock = testClock()
    const age = new FeedAge(clock)
    age.hold(NOW)
    clock.jump(90)
    expect(age.seconds()).toBe(90)
    age.hold(NOW + 90)
    clock.jump(-3_600)
    clock.advance(70)
    expect(age.seconds()).toBe(70)
  })

  it('learns from heads how far a slow clock is behind', () => {
    const clock = testClock()
    const age = new FeedAge(clock)
    age.see(NOW + 50)
    age.hold(NOW + 50)
    clock.advance(10)
    // Delayed by 8 s: our clock alone would find it 40 s in the future.
    age.see(NOW + 52)
    age.hold(NOW + 52)
    expect(age.seconds()).toBe(8)
  })

  it('heals after the issuer’s clock was set back', () => {
    const clock = testClock()
    const age = new FeedAge(clock)
    let ahead = 20
    const second = () => {
      clock.advance(1)
      age.see(clock.now() + ahead)
      age.hold(clock.now() + ahead)
    }
    second()
    expect(age.seconds()).toBe(0)
    ahead = 0
    for (let i = 0; i < 30; i++) second()
    expect(age.seconds()).toBeCloseTo(20, 6)
    for (let i = 0; i < 600; i++) second()
    expect(age.seconds()).toBeLessThan(1)
  })

  it('is never less than the time since the newest head by either clock, whatever is set, suspended or delayed', () => {
    const step = fc.oneof(
      fc.record({ type: fc.constant('pass' as const), seconds: fc.integer({ min: 0, max: 100 }) }),
      fc.record({ type: fc.constant('suspend' as const), seconds: fc.integer({ min: 0, max: 100 }) }),
      fc.record({ type: fc.constant('set' as const), seconds: fc.integer({ min: -4000, max: 4000 }) }),
      fc.record({ type: fc.constant('head' as const), seconds: fc.integer({ min: 0, max: 200 }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const clock = testClock()
        const age = new FeedAge(clock)
        let truth = NOW
        let heard: number | undefined
        let issued = 0
        let set = false
        age.hold(NOW)
        for (const { type, seconds } of steps) {
          if (type === 'pass') {
            clock.advance(seconds)
            truth += seconds
          } else if (type === 'suspend') {
            clock.jump(seconds)
            truth += seconds
          } else if (type === 'set') {
            clock.jump(seconds)
            set = true
          } else {
            age.see(truth - seconds)
            age.hold(truth - seconds)
            if (truth - seconds > issued) {
              issued = truth - seconds
              heard = clock.monotonicMs()
            }
          }
          if (heard !== undefined)
            expect(age.seconds()).toBeGreaterThanOrEqual((clock.monotonicMs() - heard) / 1000 - 1e-6)
          // With a clock that nobody sets, the age is the true one at least.
          if (!set) expect(age.seconds()).toBeGreaterThanOrEqual(truth - Math.max(issued, NOW) - 1e-6)
        }
      }),
    )
  })
})
