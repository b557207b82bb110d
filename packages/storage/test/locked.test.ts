import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { expect, it } from 'vitest'
import { issued } from './records.ts'
import { openForTest, temporaryDirectory } from './support.ts'

/** Holds the write lock, as another process would. */
function lock(path: string): { release(): void } {
  const other = new Database(path)
  other.exec('BEGIN IMMEDIATE')
  return {
    release() {
      other.exec('COMMIT')
      other.close()
    },
  }
}

it('waits for the lock of another process beside the event loop, which keeps turning', async () => {
  const path = join(temporaryDirectory(), 'data.db')
  const database = await openForTest(path)
  const { issued: tokens } = database.stores.issuer
  const held = lock(path)
  let answered = false
  const adding = tokens.add(issued('j')).then(() => {
    answered = true
  })
  // SQLite waits in turns of 20 ms: an event loop that waited with it would turn at most 25 times in half a second.
  const until = performance.now() + 500
  let turns = 0
  while (performance.now() < until) {
    await nextTurn()
    turns += 1
  }
  expect(answered).toBe(false)
  expect(turns).toBeGreaterThan(500)
  expect(await tokens.status('j')).toBeUndefined()
  held.release()
  await adding
  expect(await tokens.status('j')).toBeDefined()
})

it('fails as busy when the lock is held for longer than it may wait, and goes on after', async () => {
  const path = join(temporaryDirectory(), 'data.db')
  const database = await openForTest(path, { busyTimeoutMs: 60 })
  const held = lock(path)
  await expect(database.stores.issuer.issued.add(issued('j'))).rejects.toMatchObject({ code: 'busy' })
  await expect(database.check()).rejects.toMatchObject({ code: 'busy' })
  held.release()
  await database.check()
  expect(await database.stores.issuer.issued.status('j')).toBeUndefined()
})

it('closes although the lock is held: the writes under way are answered as busy', async () => {
  const path = join(temporaryDirectory(), 'data.db')
  const database = await openForTest(path, { busyTimeoutMs: 60 })
  const held = lock(path)
  const adding = expect(database.stores.issuer.issued.add(issued('j'))).rejects.toMatchObject({ code: 'busy' })
  await database.close()
  await adding
  held.release()
})
