import { join } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  copyDatabase,
  createBackup,
  type PortableDatabase,
  planCopy,
  portableDatabase,
  restoreBackup,
} from '../../src/backup.ts'
import { type Row, tables } from '../../src/portable/tables.ts'
import { isStorageError } from '../../src/sqlite.ts'
import { client, issued, NOW, refresh, session, user } from '../records.ts'
import { temporaryDirectory } from '../support.ts'
import { databaseUrl, newSchema, openForTest } from './support.ts'

const later = NOW + 1_000

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'done'
  } catch (error) {
    return isStorageError(error) ? error.code : String(error)
  }
}

async function filled(): Promise<{ portable: PortableDatabase; schema: string; close(): Promise<void> }> {
  const schema = newSchema()
  const { stores, close } = await openForTest({ schema })
  const { issuer } = stores
  await issuer.users.add(user)
  await issuer.clients.add(client)
  await issuer.sessions.open({
    session: session('one'),
    refresh: refresh('one hash', 'one'),
    issued: issued('one', 'one'),
  })
  await issuer.revocations.append([{ type: 'kid', id: 'stolen' }], NOW)
  return { portable: await portableDatabase(await databaseUrl(), { schema }), schema, close }
}

async function emptySchema(): Promise<{ portable: PortableDatabase; schema: string }> {
  const schema = newSchema()
  return { portable: await portableDatabase(await databaseUrl(), { schema }), schema }
}

/** Every row of every table, in one order. */
async function dump(database: PortableDatabase): Promise<Record<string, readonly string[]>> {
  const snapshot = await database.snapshot()
  const all: Record<string, readonly string[]> = {}
  for (const table of tables) {
    const found: Row[] = []
    for await (const rows of snapshot.rows(table)) found.push(...rows)
    all[table.name] = found.map((row) => JSON.stringify(row)).sort()
  }
  await snapshot.close()
  return all
}

async function sqliteFile(): Promise<PortableDatabase> {
  return await portableDatabase(`sqlite:${join(temporaryDirectory(), 'data.db')}`)
}

describe('between PostgreSQL and SQLite', () => {
  it('a copy goes there and back with every row as it was', async () => {
    const { portable, close } = await filled()
    const file = await sqliteFile()
    expect(await planCopy(portable, file)).toMatchObject({
      from: { engine: 'postgres', isInUse: true },
      to: { engine: 'sqlite', state: 'missing' },
      tables: { users: 1 },
    })
    expect(await codeOf(copyDatabase(portable, file))).toBe('in_use')
    await close()
    expect(await planCopy(portable, file)).toMatchObject({ from: { isInUse: false } })
    await copyDatabase(portable, file)
    const before = await dump(portable)
    expect(await dump(file)).toEqual(before)
    const back = await emptySchema()
    expect(await planCopy(file, back.portable)).toMatchObject({ to: { engine: 'postgres', state: 'missing' } })
    await copyDatabase(file, back.portable)
    expect(await dump(back.portable)).toEqual(before)
    expect(await planCopy(file, back.portable)).toMatchObject({ to: { state: 'not_empty' } })
    expect(await codeOf(copyDatabase(file, back.portable))).toBe('not_empty')

    const { stores } = await openForTest({ schema: back.schema })
    const rotated = await stores.issuer.sessions.rotate({
      presentedHash: 'one hash',
      successor: refresh('next hash', 'one'),
      issued: issued('next', 'one'),
      now: NOW + 20,
    })
    expect(rotated).toBe('rotated')
  })

  it('more rows than one batch have', async () => {
    const file = await sqliteFile()
    await (await file.exclusive('create')).close()
    const raw = new Database(file.place)
    onTestFinished(() => void raw.close())
    const add = raw.prepare('INSERT INTO throttle VALUES (?, 1, 2, 3, 4)')
    raw.transaction(() => {
      for (let i = 0; i < 3_333; i++) add.run(`key "${i}"\u{1f511}\\`)
    })()
    raw.close()
    const { portable } = await emptySchema()
    const copied = await copyDatabase(file, portable)
    expect(copied.tables.throttle?.rows).toBe(3_333)
    expect(await dump(portable)).toEqual(await dump(file))
  })
})

describe('a backup of PostgreSQL', () => {
  it('is of one instant, and restores in either engine', async () => {
    const { portable, schema } = await filled()
    const file = join(temporaryDirectory(), 'saved.backup')
    const snapshot = await portable.snapshot()
    const other = await openForTest({ schema })
    await other.stores.issuer.users.add({ ...user, id: 'eve', identifier: 'eve' })
    const users = tables.find(({ name }) => name === 'users')
    expect(users === undefined ? 0 : await snapshot.count(users)).toBe(1)
    await snapshot.close()

    expect(await createBackup(portable, file, { now: later })).toMatchObject({
      engine: 'postgres',
      tables: { users: 2 },
    })
    for (const target of [await sqliteFile(), (await emptySchema()).portable]) {
      const restored = await restoreBackup(file, target, { now: later + 10 })
      expect(restored).toMatchObject({ globalGeneration: later + 10, revokedKeys: ['stolen'], tables: { users: 2 } })
      const after = await dump(target)
      expect(after.settings).toEqual([`["global_generation",${later + 10}]`])
      expect(after.revocation_log).toEqual([`[1,${restored.feedEpoch},0]`])
    }
  })

  it('replaces only what nobody uses, and keeps it', async () => {
    const { portable, schema, close } = await filled()
    const folder = temporaryDirectory()
    const file = join(folder, 'saved.backup')
    const replace = { keepAt: join(folder, 'kept.backup') }
    await createBackup(portable, file, { now: later })
    expect(await codeOf(restoreBackup(file, portable, { now: later, replace }))).toBe('in_use')
    await close()
    const before = await dump(portable)
    expect(await codeOf(restoreBackup(file, portable, { now: later }))).toBe('not_empty')
    expect(await dump(portable)).toEqual(before)
    expect(await codeOf(restoreBackup(file, portable, { now: later, replace }))).toBe('done')
    const { stores } = await openForTest({ schema })
    expect(await stores.issuer.globalGeneration()).toBe(later)
  })

  it('lets nobody in while it is restored', async () => {
    const { portable, schema, close } = await filled()
    await close()
    const alone = await portable.exclusive('as_it_is')
    expect(await codeOf(openForTest({ schema, lockTimeoutMs: 50 }))).toBe('busy')
    await alone.close()
    expect(await codeOf(openForTest({ schema }))).toBe('done')
  })

  it('says what is wrong with an address, and never the password in it', async () => {
    const missing = await portableDatabase(await databaseUrl(), { schema: 'nothing' })
    expect(await codeOf(missing.snapshot())).toBe('not_found')
    const place = await portableDatabase('postgres://ada:secret@db.example.com/auth')
    expect(place.place).toBe('postgres://db.example.com:5432/auth?schema=countersign')
    expect(await codeOf(portableDatabase('postgres://nobody'))).toBe('invalid_value')
  })
})
