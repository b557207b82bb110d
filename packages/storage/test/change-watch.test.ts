import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { StorageClock } from '../src/sqlite.ts'
import { issued } from './records.ts'
import { openForTest, temporaryDirectory } from './support.ts'

function manualClock(): StorageClock & { advance(ms: number): Promise<void>; readonly waiting: number } {
  let now = 0
  const timers = new Set<{ readonly at: number; readonly call: () => void }>()
  return {
    now: () => now / 1000,
    monotonicMs: () => now,
    after(ms, call) {
      const timer = { at: now + ms, call }
      timers.add(timer)
      return () => void timers.delete(timer)
    },
    async advance(ms) {
      now += ms
      for (const timer of [...timers]) {
        if (timer.at > now) continue
        timers.delete(timer)
        timer.call()
      }
      await new Promise((resolve) => setImmediate(resolve))
    },
    get waiting() {
      return timers.size
    },
  }
}

it('sees the writes of others and its own, one call for many', async () => {
  const path = join(temporaryDirectory(), 'data.db')
  const clock = manualClock()
  const watching = await openForTest(path, { clock })
  const other = await openForTest(path)
  let calls = 0
  const stop = watching.onChange(() => calls++)
  await clock.advance(100)
  expect(calls).toBe(0)
  for (const jti of ['a', 'b', 'c']) await other.stores.issuer.issued.add(issued(jti))
  await clock.advance(99)
  expect(calls).toBe(0)
  await clock.advance(1)
  expect(calls).toBe(1)
  await clock.advance(100)
  expect(calls).toBe(1)
  await watching.stores.issuer.issued.add(issued('own'))
  await clock.advance(100)
  expect(calls).toBe(2)
  stop()
  stop()
  await other.check()
  await clock.advance(100)
  expect(calls).toBe(2)
  expect(clock.waiting).toBe(0)
})

it('calls key rings back only when one changed', async () => {
  const path = join(temporaryDirectory(), 'data.db')
  const clock = manualClock()
  const watching = await openForTest(path, { clock })
  const other = await openForTest(path)
  let calls = 0
  const stop = watching.stores.keys.onChange?.(() => calls++)
  await other.stores.issuer.issued.add(issued('a'))
  await clock.advance(100)
  // A ring may have changed while the first look was on its way: rather one call too many.
  expect(calls).toBe(1)
  await other.stores.issuer.issued.add(issued('b'))
  await clock.advance(100)
  expect(calls).toBe(1)
  await other.stores.keys.replace({
    format: 1,
    name: 'tokens',
    purpose: 'token',
    issuer: 'https://auth.example.com',
    algorithm: 'EdDSA',
    version: 1,
    updatedAt: 1,
    keys: [],
  })
  await clock.advance(100)
  expect(calls).toBe(2)
  stop?.()
  expect(clock.waiting).toBe(0)
})

it('stops looking when the database closes', async () => {
  const clock = manualClock()
  const database = await openForTest(join(temporaryDirectory(), 'data.db'), { clock })
  database.onChange(() => {})
  database.stores.keys.onChange?.(() => {})
  expect(clock.waiting).toBe(1)
  await database.close()
  database.onChange(() => {})
  expect(clock.waiting).toBe(0)
})
