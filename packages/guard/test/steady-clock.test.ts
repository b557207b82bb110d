import { expect, it } from 'vitest'
import { createGuard } from '../src/index.ts'
import { steadyClock } from '../src/steady-clock.ts'
import { audience, issuer, makeKey, makeToken, NOW, testClock } from './fixtures.ts'

/** Each reading is a second later than the one before. */
function runningClock() {
  let readings = 0
  const read = (): number => {
    readings += 1
    return readings
  }
  const waits: number[] = []
  const clock = {
    now: read,
    monotonicMs: read,
    after(ms: number, call: () => void) {
      waits.push(ms)
      call()
      return () => waits.push(-ms)
    },
  }
  return { clock, waits }
}

it('stands still while it is held, each time by itself, and goes on afterwards', () => {
  const steady = steadyClock(runningClock().clock)
  expect([steady.now(), steady.now(), steady.monotonicMs()]).toEqual([1, 2, 3])
  steady.hold()
  expect([steady.now(), steady.monotonicMs(), steady.now(), steady.monotonicMs()]).toEqual([4, 5, 4, 5])
  steady.hold()
  expect([steady.monotonicMs(), steady.now(), steady.now(), steady.monotonicMs()]).toEqual([6, 7, 7, 6])
  steady.release()
  expect([steady.now(), steady.now(), steady.monotonicMs(), steady.monotonicMs()]).toEqual([8, 9, 10, 11])
})

it('waits as the clock does', () => {
  const { clock, waits } = runningClock()
  let calls = 0
  const cancel = steadyClock(clock).after(7, () => {
    calls += 1
  })
  cancel()
  expect([calls, waits]).toEqual([1, [7, -7]])
})

it('is read once for a token that is known, by verifier and keys together, and anew for the next', async () => {
  const key = await makeKey()
  const clock = testClock()
  const readings: string[] = []
  const counted = {
    ...clock,
    now() {
      readings.push('now')
      return clock.now()
    },
    monotonicMs() {
      readings.push('monotonicMs')
      return clock.monotonicMs()
    },
  }
  const fetch = async (): Promise<Response> => Response.json({ keys: [key.jwk] })
  const guard = createGuard({ issuer, audience, jwksUrl: `${issuer}/jwks.json`, jwks: { fetch }, clock: counted })
  const token = makeToken(key, { exp: NOW + 60 })
  expect((await guard.admit({ token })).admitted).toBe(true)
  for (let time = 0; time < 2; time++) {
    readings.length = 0
    expect(guard.admitNow?.({ token })?.admitted).toBe(true)
    expect(readings.toSorted()).toEqual(['monotonicMs', 'now'])
  }
  // Also after a refusal.
  clock.jump(65)
  expect(guard.admitNow?.({ token })).toEqual({ admitted: false, code: 'expired' })
  clock.jump(-65)
  expect(guard.admitNow?.({ token })?.admitted).toBe(true)
  await guard.close()
})
