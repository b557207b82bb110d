import { statSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RevocationEntry } from '@countersign/revocation'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openSqlite, type SqliteDatabase } from '../src/sqlite.ts'

const now = 1_795_314_485
const entry = (number: number): RevocationEntry => ({ type: 'jti', id: `token ${number}`, until: now + number })
const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => entry(from + i))

let folder: string
let path: string
let database: SqliteDatabase
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'countersign-storage-'))
  path = join(folder, 'countersign.db')
  database = await openSqlite(path)
})
afterEach(async () => {
  await database.close()
  await rm(folder, { recursive: true })
})

it('shows a snapshot of many entries as of one moment, whatever is written meanwhile', async () => {
  const { revocations } = database.stores.issuer
  // More than two pages, and not a whole number of them; types in between.
  const before = numbers(0, 10_000)
  await revocations.append([...before, { type: 'global', minGeneration: 1, until: now }, { type: 'kid', id: 'k' }], now)
  const { position } = await revocations.snapshot()

  const raw = new Database(path)
  let turns = 0
  let isReading = true
  const reading = revocations.snapshot().finally(() => {
    isReading = false
  })
  while (isReading) {
    turns += 1
    // The first page has been read by now, and the last has not: this entry would be on it.
    if (turns === 2)
      raw.exec("DELETE FROM revocation_entries WHERE id = 'token 9999'; UPDATE revocation_log SET seq = 0")
    await new Promise((resolve) => setImmediate(resolve))
  }
  raw.close()
  const found = await reading
  expect(turns).toBeGreaterThanOrEqual(4)
  expect(found.position).toEqual(position)
  expect(found.entries).toHaveLength(before.length + 2)
  expect(new Set(found.entries.map((one) => ('id' in one ? one.id : one.type)))).toEqual(
    new Set([...before.map((one) => ('id' in one ? one.id : '')), 'global', 'k']),
  )
  const later = await revocations.snapshot()
  expect(later.position.seq).toBe(0)
  expect(later.entries).toHaveLength(before.length + 1)
})

it('gives a page that ends with the last entry, and none', async () => {
  const { revocations } = database.stores.issuer
  expect((await revocations.snapshot()).entries).toEqual([])
  await revocations.append(numbers(0, 4_096), now)
  expect((await revocations.snapshot()).entries).toHaveLength(4_096)
})

it('ends with the database, and lets go of the file', async () => {
  const { revocations } = database.stores.issuer
  await revocations.append(numbers(0, 9_000), now)
  const reading = revocations.snapshot()
  const outcome = expect(reading).rejects.toMatchObject({ code: 'closed' })
  await database.close()
  await outcome
  expect(() => statSync(`${path}-wal`)).toThrow('ENOENT')
})
