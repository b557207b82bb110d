import { setImmediate as nextTurn } from 'node:timers/promises'
import { query } from '@countersign-tooling/postgres'
import { expect, it } from 'vitest'
import type { StorageClock } from '../../src/postgres.ts'
import { client, issued, NOW, user } from '../records.ts'
import { databaseUrl, newSchema, openForTest } from './support.ts'

const UNTIL = NOW + 720

/** A clock whose timers fire only when told to. */
function stillClock(): StorageClock & { beat(): void; readonly waiting: number } {
  const timers = new Set<() => void>()
  return {
    now: () => NOW,
    monotonicMs: () => 0,
    after(_, call) {
      timers.add(call)
      return () => void timers.delete(call)
    },
    beat() {
      for (const call of [...timers]) {
        timers.delete(call)
        call()
      }
    },
    get waiting() {
      return timers.size
    },
  }
}

it('is woken at once by what another instance revokes', async () => {
  const schema = newSchema()
  // Nothing is looked at by itself but at the start: what comes then comes by notification.
  const watching = await openForTest({ schema, clock: stillClock() })
  const other = await openForTest({ schema })
  let calls = 0
  watching.onChange(() => calls++)
  const listening = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
  await expect.poll(async () => (await query(await databaseUrl(), listening)).length).toBe(1)
  await other.stores.issuer.issued.add(issued('a'))
  // The first look calls, and so does the beginning of listening; in one turn it is one call for both.
  let before: number
  do {
    before = calls
    await other.check()
  } while (calls === 0 || calls !== before)
  await other.stores.issuer.issued.revoke('a', NOW, UNTIL)
  await expect.poll(() => calls).toBeGreaterThan(before)
})

it('sees changes by looking, when nobody notifies', async () => {
  const schema = newSchema()
  const clock = stillClock()
  const watching = await openForTest({ schema, clock, notifications: false })
  const other = await openForTest({ schema })
  let calls = 0
  const stop = watching.onChange(() => calls++)
  await expect.poll(() => calls).toBe(1)
  await other.stores.issuer.issued.revoke('nothing', NOW, UNTIL)
  clock.beat()
  await watching.check()
  expect(calls).toBe(1)
  await other.stores.issuer.revocations.append([{ type: 'jti', id: 'a', until: UNTIL }], NOW)
  expect(calls).toBe(1)
  // A beat is passed over while the look of the one before is under way.
  const beaten = () => {
    clock.beat()
    return calls
  }
  await expect.poll(beaten).toBe(2)
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
  await expect.poll(beaten).toBe(3)
  stop()
  expect(clock.waiting).toBe(0)
})

it('calls key rings back only when one changed', async () => {
  const schema = newSchema()
  const watching = await openForTest({ schema, pollIntervalMs: 10 })
  const other = await openForTest({ schema })
  let calls = 0
  const stop = watching.stores.keys.onChange?.(() => calls++)
  await expect.poll(() => calls).toBe(1)
  await other.stores.issuer.users.add(user)
  await other.stores.issuer.clients.add(client)
  let changes = 0
  watching.onChange(() => changes++)
  await other.stores.issuer.clients.disable('web', NOW, UNTIL)
  // By a notification, by a look, or by both in one turn.
  await expect.poll(() => changes).toBeGreaterThan(0)
  expect(calls).toBe(1)
  stop?.()
})

it('listens again after its connection ended, and misses nothing meanwhile', async () => {
  const schema = newSchema()
  const watching = await openForTest({ schema, pollIntervalMs: 20 })
  const other = await openForTest({ schema })
  let calls = 0
  watching.onChange(() => calls++)
  const url = await databaseUrl()
  const listeners = `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'countersign' AND query NOT LIKE '%pid%'`
  await expect.poll(() => calls).toBeGreaterThan(0)
  for (let round = 0; round < 3; round++) {
    await query(url, `SELECT pg_terminate_backend(pid, 60000) FROM (${listeners}) AS all_of_them`)
    // They are gone now, and what they said last is here: no commit is under way over one that ends.
    await nextTurn()
    const before = calls
    await other.stores.issuer.revocations.append([{ type: 'jti', id: `${round}`, until: UNTIL }], NOW)
    await expect.poll(() => calls).toBeGreaterThan(before)
  }
})

it('stops when the database closes', async () => {
  const clock = stillClock()
  const database = await openForTest({ clock })
  database.onChange(() => {})
  database.stores.keys.onChange?.(() => {})
  expect(clock.waiting).toBe(1)
  await database.close()
  database.onChange(() => {})
  expect(clock.waiting).toBe(0)
  await expect(database.check()).rejects.toMatchObject({ code: 'closed' })
})

it('dates what is read by the server’s clock, and never ahead of it', async () => {
  const own = await openForTest()
  const before = Date.now() / 1000
  const { readAt } = await own.stores.issuer.revocations.snapshot()
  // Here both clocks are one: behind by no more than the way to the server and back.
  expect(readAt).toBeGreaterThan(before - 60)
  expect(readAt).toBeLessThanOrEqual(Date.now() / 1000)
  expect(await own.stores.keys.now?.()).toBeGreaterThan(before - 60)
  const given = await openForTest({ clock: stillClock() })
  expect((await given.stores.issuer.revocations.snapshot()).readAt).toBe(NOW)
  expect(given.stores.keys.now).toBeUndefined()
})
