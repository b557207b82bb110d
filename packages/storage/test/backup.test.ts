import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, describe, expect, it } from 'vitest'
import {
  copyDatabase,
  createBackup,
  inspectBackup,
  type PortableDatabase,
  planCopy,
  portableDatabase,
  restoreBackup,
} from '../src/backup.ts'
import { tables } from '../src/portable/tables.ts'
import { migrations } from '../src/sqlite/migrations.ts'
import { isStorageError, openSqlite, type SqliteDatabase } from '../src/sqlite.ts'
import { client, issued, NOW, refresh, session, user } from './records.ts'
import { openForTest, temporaryDirectory } from './support.ts'

const later = NOW + 1_000

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'done'
  } catch (error) {
    return isStorageError(error) ? error.code : String(error)
  }
}

/** A row in every table that a service writes, and a revoked one of each kind. */
async function fill({ stores: { issuer, keys } }: SqliteDatabase): Promise<void> {
  await issuer.users.add(user)
  await issuer.users.add({ ...user, id: 'bob', identifier: 'bob\u{1f511}"\n' })
  await issuer.clients.add(client)
  for (const id of ['one', 'two']) {
    await issuer.sessions.open({ session: session(id), refresh: refresh(`${id} hash`, id), issued: issued(id, id) })
  }
  await issuer.sessions.rotate({
    presentedHash: 'one hash',
    successor: refresh('next hash', 'one'),
    issued: issued('next', 'one'),
    now: NOW + 5,
    replay: { sealed: 'sealed', until: NOW + 15 },
  })
  await issuer.sessions.end('two', 'signed_out', NOW + 6, NOW + 700)
  await issuer.throttle.fail(['ada'], { allowed: 1, windowSeconds: 60, baseSeconds: 1, maxSeconds: 90 }, NOW)
  await issuer.acknowledgements.put(
    { consumer: 'agent-api', instance: 'a', kids: ['kid'], position: { epoch: 1, seq: 1 } },
    NOW,
  )
  await issuer.revocations.append([{ type: 'kid', id: 'stolen' }], NOW)
  await keys.replace({
    format: 1,
    name: 'tokens',
    purpose: 'token',
    issuer: 'https://auth.example.com',
    algorithm: 'EdDSA',
    version: 1,
    updatedAt: NOW,
    keys: [],
  })
}

async function filled(): Promise<{ path: string; database: SqliteDatabase; portable: PortableDatabase }> {
  const path = join(temporaryDirectory(), 'data.db')
  const database = await openForTest(path)
  await fill(database)
  return { path, database, portable: await portableDatabase(`sqlite:${path}`) }
}

async function elsewhere(): Promise<{ path: string; portable: PortableDatabase }> {
  const path = join(temporaryDirectory(), 'other.db')
  return { path, portable: await portableDatabase(`sqlite:${path}`) }
}

/** Every row of every table, sorted. */
function dump(path: string): Record<string, unknown[]> {
  const database = new Database(path, { readonly: true })
  try {
    return Object.fromEntries(
      tables.map(({ name }) => {
        const rows = database.prepare(`SELECT * FROM "${name}"`).all()
        return [name, rows.map((row) => JSON.stringify(row)).sort()]
      }),
    )
  } finally {
    database.close()
  }
}

interface Whole {
  readonly saved: string
  readonly target: PortableDatabase
  readonly before: ReturnType<typeof dump>
}

let made: Promise<Whole> | undefined
const folders: string[] = []
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true })
})

/** A good backup and a database in use before, for tests that change neither. */
function whole(): Promise<Whole> {
  made ??= (async () => {
    const folder = mkdtempSync(join(tmpdir(), 'countersign-backup-'))
    folders.push(folder)
    const path = join(folder, 'data.db')
    const database = await openSqlite(path)
    await fill(database)
    await database.close()
    const target = await portableDatabase(`sqlite:${path}`)
    await createBackup(target, join(folder, 'saved'), { now: later })
    return { saved: readFileSync(join(folder, 'saved'), 'utf8'), target, before: dump(path) }
  })()
  return made
}

it('knows every table and every column that there is', async () => {
  const { path } = await filled()
  const database = new Database(path, { readonly: true })
  const names = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").pluck().all()
  expect(names.sort()).toEqual(tables.map(({ name }) => name).sort())
  for (const { name, columns } of tables) {
    const there = database.prepare<[string], string>('SELECT name FROM pragma_table_info(?)').pluck().all(name)
    expect(columns.map((column) => column.name).sort(), name).toEqual(there.sort())
  }
  database.close()
})

describe('a backup', () => {
  it('has everything, for its owner only, while the service writes on', async () => {
    const { path, database, portable } = await filled()
    const file = join(path, '..', 'saved.backup')
    const done: number[] = []
    const contents = await createBackup(portable, file, { now: later + 0.5, onProgress: (at) => done.push(at.done) })
    await database.check()
    expect(statSync(file).mode & 0o777).toBe(0o600)
    expect(contents).toMatchObject({ createdAt: later + 0.5, engine: 'sqlite' })
    expect(contents.tables).toEqual(
      Object.fromEntries(
        Object.entries(dump(path)).flatMap(([name, { length }]) => (length > 0 ? [[name, length]] : [])),
      ),
    )
    expect(Math.max(...done)).toBe(contents.rows)
    expect((await inspectBackup(file)).contents).toEqual(contents)
  })

  it('is of one instant, whatever is written meanwhile', async () => {
    const { path, database, portable } = await filled()
    const snapshot = await portable.snapshot()
    await database.stores.issuer.users.add({ ...user, id: 'eve', identifier: 'eve' })
    const users = tables.find(({ name }) => name === 'users')
    expect(users === undefined ? 0 : await snapshot.count(users)).toBe(2)
    await snapshot.close()
    expect(dump(path).users).toHaveLength(3)
  })

  it('never replaces a file, and leaves nothing behind where it fails', async () => {
    const { path, portable } = await filled()
    const file = join(path, '..', 'saved.backup')
    writeFileSync(file, 'mine')
    expect(await codeOf(createBackup(portable, file, { now: later }))).toBe('backup_exists')
    expect(readFileSync(file, 'utf8')).toBe('mine')
    await expect(createBackup(portable, join(path, '..', 'no', 'where'), { now: later })).rejects.toThrow('ENOENT')
    const none = await portableDatabase(`sqlite:${join(path, '..', 'none.db')}`)
    expect(await codeOf(createBackup(none, `${file}2`, { now: later }))).toBe('not_found')
  })

  it('takes an older schema as it is, and refuses a newer one', async () => {
    const { path } = await elsewhere()
    const old = new Database(path)
    for (const { sql } of migrations.slice(0, 2)) old.exec(sql)
    old.pragma(`application_id = ${0x43_53_47_4e}`)
    old.pragma('user_version = 2')
    old.exec("INSERT INTO users VALUES ('ada', 'ada', 'hash', 0, 1, NULL)")
    const portable = await portableDatabase(`sqlite:${path}`)
    const file = `${path}.backup`
    await createBackup(portable, file, { now: later })
    const target = await elsewhere()
    await restoreBackup(file, target.portable, { now: later })
    expect(dump(target.path).users).toMatchObject([expect.stringContaining('"synthetic":0')])
    old.pragma(`user_version = ${migrations.length + 1}`)
    old.close()
    expect(await codeOf(createBackup(portable, `${file}2`, { now: later }))).toBe('schema_too_new')
  })
})

describe('a restore', () => {
  it('brings everything back, with nobody signed in, in a later life', async () => {
    const { path, portable } = await filled()
    const file = join(path, '..', 'saved.backup')
    await createBackup(portable, file, { now: later })
    const target = await elsewhere()
    const restored = await restoreBackup(file, target.portable, { now: later + 10.5 })
    const before = dump(path)
    const after = dump(target.path)
    for (const name of ['users', 'clients', 'key_rings', 'refresh_tokens', 'issued_tokens', 'throttle']) {
      expect(after[name], name).toEqual(before[name])
    }
    expect(after.sessions).toMatchObject([
      expect.stringContaining(`"ended_at":${later + 10},"end_reason":"revoked"`),
      expect.stringContaining(`"ended_at":${NOW + 6},"end_reason":"signed_out"`),
    ])
    expect([after.revocation_events, after.consumer_acknowledgements]).toEqual([[], []])
    expect(restored).toMatchObject({ globalGeneration: later + 10, keptAt: null })

    const { stores } = await openForTest(target.path)
    expect(await stores.issuer.globalGeneration()).toBe(later + 10)
    const { position, entries } = await stores.issuer.revocations.snapshot()
    expect(position).toEqual({ epoch: restored.feedEpoch, seq: 0 })
    expect(entries).toContainEqual({ type: 'global', minGeneration: later + 10, until: later + 10 + 31 * 86_400 })
    expect(entries).toContainEqual({ type: 'kid', id: 'stolen' })
    expect(entries).toContainEqual({ type: 'sid', id: 'two', until: NOW + 700 })
    expect(await stores.issuer.revocations.after(position.seq, 10)).toMatchObject({ events: [] })
  })

  it('goes past every generation and epoch that was ever given out, also with a clock that is late', async () => {
    const { path, database, portable } = await filled()
    const file = join(path, '..', 'saved.backup')
    const keepAt = join(path, '..', 'kept.backup')
    await createBackup(portable, file, { now: later })
    await database.stores.issuer.revocations.append([{ type: 'kid', id: 'stolen later' }], NOW)
    await database.close()
    const first = await restoreBackup(file, portable, { now: 5_000_000_000, replace: { keepAt } })
    expect(first).toMatchObject({ globalGeneration: 5_000_000_000, feedEpoch: 5_000_000_000, keptAt: keepAt })
    const second = await restoreBackup(file, portable, {
      now: later,
      replace: { keepAt: `${keepAt}2` },
      revokedKeys: ['stolen', 'stolen as well'],
    })
    expect(second.revokedKeys).toEqual(['stolen', 'stolen as well', 'stolen later'])
    expect(second).toMatchObject({ globalGeneration: 5_000_000_001, feedEpoch: 5_000_000_001 })
    const { stores } = await openForTest(path)
    // What the replaced database knew of stolen keys is not forgotten.
    const { entries } = await stores.issuer.revocations.snapshot()
    expect(entries.flatMap((entry) => (entry.type === 'kid' ? [entry.id] : [])).sort()).toEqual(second.revokedKeys)
    expect((await inspectBackup(keepAt)).contents.tables.revocation_entries).toBe(3)
  })

  it('refuses a database with data in it, and one that somebody uses', async () => {
    const { path, database, portable } = await filled()
    const file = join(path, '..', 'saved.backup')
    const replace = { keepAt: `${file}.kept` }
    await createBackup(portable, file, { now: later })
    expect(await codeOf(restoreBackup(file, portable, { now: later, replace }))).toBe('in_use')
    const before = dump(path)
    await database.close()
    expect(await codeOf(restoreBackup(file, portable, { now: later }))).toBe('not_empty')
    expect(dump(path)).toEqual(before)
    expect(await codeOf(restoreBackup(file, portable, { now: later, replace }))).toBe('done')
  })

  it('lets nobody in while it works', async () => {
    const { path, database, portable } = await filled()
    await database.close()
    const alone = await portable.exclusive('as_it_is')
    const opened = codeOf(openForTest(path, { busyTimeoutMs: 50 }))
    expect(await opened).toBe('busy')
    await alone.close()
    expect(await codeOf(openForTest(path))).toBe('done')
  })

  it('puts a damaged database aside', async () => {
    const { path, database, portable } = await filled()
    const file = join(path, '..', 'saved.backup')
    await createBackup(portable, file, { now: later })
    await database.close()
    writeFileSync(path, 'no database at all'.repeat(100))
    expect(await codeOf(restoreBackup(file, portable, { now: later }))).toBe('not_a_database')
    const { keptAt } = await restoreBackup(file, portable, { now: later, replace: { keepAt: `${file}.kept` } })
    expect(readFileSync(keptAt ?? '', 'utf8')).toContain('no database at all')
    expect(await codeOf(openForTest(path))).toBe('done')
  })

  const faults: [what: string, change: (text: string) => string | Uint8Array, code: string][] = [
    ['is empty', () => '', 'not_a_backup'],
    ['is something else', () => 'hello\n', 'not_a_backup'],
    ['is JSON of something else', () => '{"a":1}\n', 'not_a_backup'],
    ['is one endless line', () => 'x', 'not_a_backup'],
    ['lost its end', (text) => text.slice(0, text.lastIndexOf('{')), 'backup_damaged'],
    ['was cut within a line', (text) => text.slice(0, -9), 'backup_damaged'],
    ['goes on after its end', (text) => `${text}[]\n`, 'backup_damaged'],
    ['has another value', (text) => text.replace('"ada@example.com"', '"eve@example.com"'), 'backup_damaged'],
    [
      'has another byte outside of rows',
      (text) => text.replace('"engine":"sqlite"', '"engine":"sqlite" '),
      'backup_damaged',
    ],
    ['lost a row', (text) => text.replace(/^\["bob.*\n/mu, ''), 'backup_damaged'],
    ['has a row twice', (text) => text.replace(/^(\["bob.*\n)/mu, '$1$1'), 'backup_damaged'],
    ['has bytes that are no text', (text) => Buffer.from(text.replace('ada@', 'é@'), 'latin1'), 'backup_damaged'],
    ['has half a surrogate', (text) => text.replace('ada@', '\\ud800'), 'backup_damaged'],
    [
      'has a row outside of a table',
      (text) => text.replace('{"table":"users"', '["x"]\n{"table":"users"'),
      'backup_damaged',
    ],
    ['comes from a newer program', (text) => text.replace('"content":1', '"content":2'), 'schema_too_new'],
    ['has another format', (text) => text.replace('"format":1', '"format":2'), 'schema_too_new'],
    ['has a table that is not known', (text) => text.replaceAll('"throttle"', '"future"'), 'schema_too_new'],
    ['has a column that is not known', (text) => text.replace('"identifier"', '"future"'), 'schema_too_new'],
  ]
  it.each(faults)('refuses a file that %s, before it touches anything', async (_what, change, code) => {
    const { saved, target, before } = await whole()
    const file = join(temporaryDirectory(), 'faulty.backup')
    writeFileSync(file, change(saved))
    const replace = { keepAt: `${file}.kept` }
    expect(await codeOf(restoreBackup(file, target, { now: later, replace }))).toBe(code)
    expect(dump(target.place)).toEqual(before)
    expect(() => statSync(replace.keepAt)).toThrow('ENOENT')
  })
})

describe('a copy', () => {
  it('has every row as it was, sessions with them', async () => {
    const { path, database, portable } = await filled()
    const target = await elsewhere()
    expect(await planCopy(portable, target.portable)).toMatchObject({
      from: { engine: 'sqlite', place: path, isInUse: true },
      to: { state: 'missing' },
      tables: { users: 2 },
    })
    expect(await codeOf(copyDatabase(portable, target.portable))).toBe('in_use')
    await database.close()
    expect(await planCopy(portable, target.portable)).toMatchObject({ from: { isInUse: false } })
    const done: number[] = []
    const copied = await copyDatabase(portable, target.portable, (at) => done.push(at.done))
    expect(dump(target.path)).toEqual(dump(path))
    expect(copied.tables.users).toMatchObject({ rows: 2, digest: expect.stringMatching(/^[0-9a-f]{64}$/u) })
    expect(done.at(-1)).toBe(copied.rows)
    expect(await planCopy(portable, target.portable)).toMatchObject({ to: { state: 'not_empty' } })
    expect(await codeOf(copyDatabase(portable, target.portable))).toBe('not_empty')

    const { stores } = await openForTest(target.path)
    expect(await stores.issuer.globalGeneration()).toBe(0)
    const rotated = await stores.issuer.sessions.rotate({
      presentedHash: 'next hash',
      successor: refresh('later hash', 'one'),
      issued: issued('later', 'one'),
      now: NOW + 20,
    })
    expect(rotated).toBe('rotated')
  })

  it('stores nothing where it does not go through', async () => {
    const { path, database, portable } = await filled()
    await database.close()
    const target = await elsewhere()
    const full: PortableDatabase = {
      ...target.portable,
      async exclusive(prepare) {
        const alone = await target.portable.exclusive(prepare)
        return {
          ...alone,
          async insert(table, rows) {
            // What a bad memory might do.
            await alone.insert(table, table.name === 'users' ? rows.slice(1) : rows)
          },
        }
      },
    }
    expect(await codeOf(copyDatabase(portable, full))).not.toBe('done')
    expect(dump(target.path).clients).toEqual([])
    expect(dump(path).users).toHaveLength(2)
  })

  it.each(['', 'sqlite:', 'mysql://localhost', '/data.db'])('knows no database at %j', async (address) => {
    expect(await codeOf(portableDatabase(address))).toBe('invalid_value')
  })
})
