import { chmodSync, mkdirSync, openSync, statSync, symlinkSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { migrations } from '../src/sqlite/migrations.ts'
import { setUpWriter } from '../src/sqlite/prepare.ts'
import { WriterConnection } from '../src/sqlite/writer-connection.ts'
import { isStorageError, openSqlite, type SqliteOptions, type StorageErrorCode } from '../src/sqlite.ts'
import { issued } from './records.ts'
import { openForTest, temporaryDirectory } from './support.ts'

async function codeOf(path: string, options?: SqliteOptions): Promise<StorageErrorCode | 'opened'> {
  try {
    await (await openSqlite(path, options)).close()
    return 'opened'
  } catch (error) {
    if (isStorageError(error)) return error.code
    throw error
  }
}

const permissions = (path: string): string => (statSync(path).mode & 0o777).toString(8)

describe('the files', () => {
  it('makes the directory 0700 and every file 0600', async () => {
    const directory = join(temporaryDirectory(), 'a', 'b')
    const path = join(directory, 'data.db')
    const database = await openForTest(path)
    await database.check()
    expect(permissions(directory)).toBe('700')
    expect([path, `${path}-wal`, `${path}-shm`].map(permissions)).toEqual(['600', '600', '600'])
  })

  it('takes permissions of others away', async () => {
    const path = join(temporaryDirectory(), 'data.db')
    await codeOf(path)
    chmodSync(path, 0o644)
    await openForTest(path)
    expect(permissions(path)).toBe('600')
  })

  it('puts the log back into the database and leaves one file when it closes', async () => {
    const path = join(temporaryDirectory(), 'data.db')
    const database = await openForTest(path)
    await database.check()
    await database.close()
    expect(() => statSync(`${path}-wal`)).toThrow('ENOENT')
  })

  it.each(['', '-wal', '-shm', '-journal'])('refuses a symbolic link at the path%s', async (suffix) => {
    const directory = temporaryDirectory()
    const elsewhere = join(directory, 'elsewhere')
    writeFileSync(elsewhere, '')
    symlinkSync(elsewhere, join(directory, `data.db${suffix}`))
    expect(await codeOf(join(directory, 'data.db'))).toBe('unsafe_file')
  })

  it('refuses a link that points nowhere, a directory, and what is no path', async () => {
    const directory = temporaryDirectory()
    symlinkSync(join(directory, 'nothing'), join(directory, 'dangling'))
    mkdirSync(join(directory, 'directory'))
    writeFileSync(join(directory, 'file'), '')
    expect(await codeOf(join(directory, 'dangling'))).toBe('unsafe_file')
    expect(await codeOf(join(directory, 'directory'))).toBe('unsafe_file')
    expect(await codeOf(':memory:')).toBe('unsafe_file')
    expect(await codeOf('')).toBe('unsafe_file')
    expect(await codeOf(join(directory, 'file', 'data.db'))).toBe('cannot_open')
  })
})

describe('what the file holds', () => {
  it('refuses a file that is no database', async () => {
    const path = join(temporaryDirectory(), 'data.db')
    writeFileSync(path, 'an ordinary text, longer than the header of a database '.repeat(50))
    expect(await codeOf(path)).toBe('not_a_database')
  })

  it("refuses another program's database and leaves it as it is", async () => {
    const path = join(temporaryDirectory(), 'data.db')
    const other = new Database(path)
    other.exec('CREATE TABLE theirs (a)')
    expect(await codeOf(path)).toBe('not_a_database')
    expect(other.prepare('SELECT name FROM sqlite_schema').pluck().all()).toEqual(['theirs'])
    other.close()
  })

  it('names a damaged database', async () => {
    const path = join(temporaryDirectory(), 'data.db')
    await codeOf(path)
    writeSync(openSync(path, 'r+'), Buffer.alloc(3_000, 0xff), 0, 3_000, 100)
    expect(await codeOf(path)).toBe('corrupt')
  })

  it('works beside one newer schema and refuses a newer one than that', async () => {
    const path = join(temporaryDirectory(), 'data.db')
    await codeOf(path)
    const raw = new Database(path)
    raw.pragma(`user_version = ${migrations.length + 1}`)
    expect(await codeOf(path)).toBe('opened')
    expect(raw.pragma('user_version', { simple: true })).toBe(migrations.length + 1)
    raw.pragma(`user_version = ${migrations.length + 2}`)
    expect(await codeOf(path)).toBe('schema_too_new')
    raw.close()
  })

  it('reports the migration, once', async () => {
    const path = join(temporaryDirectory(), 'data.db')
    const events: unknown[] = []
    const onEvent = (event: unknown): void => void events.push(event)
    await codeOf(path, { onEvent })
    await codeOf(path, { onEvent })
    expect(events).toEqual([{ type: 'migrated', from: 0, to: migrations.length }])
  })
})

describe('the options', () => {
  const bad: [name: string, options: SqliteOptions][] = [
    ['busyTimeoutMs below its least', { busyTimeoutMs: -1 }],
    ['busyTimeoutMs above its most', { busyTimeoutMs: 60_001 }],
    ['busyTimeoutMs not whole', { busyTimeoutMs: 1.5 }],
    ['maxBatch 0', { maxBatch: 0 }],
    ['maxPending 0', { maxPending: 0 }],
    ['maxBytes too small', { maxBytes: 65_535 }],
    ['pollIntervalMs too small', { pollIntervalMs: 9 }],
    ['pollIntervalMs no number', { pollIntervalMs: Number.NaN }],
  ]
  it.each(bad)('refuses %s', async (_name, options) => {
    expect(await codeOf(join(temporaryDirectory(), 'data.db'), options)).toBe('invalid_value')
  })
})

describe('an open database', () => {
  it('syncs at every commit, by SQLite’s own word', async () => {
    const path = join(temporaryDirectory(), 'data.db')
    await codeOf(path)
    const connection = new WriterConnection(path)
    setUpWriter(connection)
    expect(connection.number('synchronous')).toBe(2)
    expect(connection.number('foreign_keys')).toBe(1)
    expect(connection.number('busy_timeout')).toBeLessThanOrEqual(20)
    expect(connection.database.pragma('journal_mode', { simple: true })).toBe('wal')
    connection.close()
  })

  it('commits what comes in one turn together', async () => {
    const database = await openForTest(join(temporaryDirectory(), 'data.db'), { maxBatch: 50 })
    await Promise.all(Array.from({ length: 120 }, (_, i) => database.stores.issuer.issued.add(issued(`${i}`))))
    expect(database.statistics()).toEqual({ pending: 0, writes: 120, transactions: 3, largestTransaction: 50 })
  })

  it('stores nothing past its size, and goes on within it', async () => {
    const path = join(temporaryDirectory(), 'data.db')
    const database = await openForTest(path, { maxBytes: 250_000 })
    const { issued: tokens } = database.stores.issuer
    const outcomes: boolean[] = []
    for (let batch = 0; batch < 20; batch++) {
      const added = await Promise.allSettled(
        Array.from({ length: 40 }, (_, i) => tokens.add({ ...issued(`${batch}-${i}`), subject: 'x'.repeat(300) })),
      )
      for (const one of added) {
        if (one.status === 'rejected') expect(one.reason).toMatchObject({ name: 'StorageError', code: 'full' })
        outcomes.push(one.status === 'fulfilled')
      }
    }
    const found = await Promise.all(outcomes.map((_, i) => tokens.status(`${Math.floor(i / 40)}-${i % 40}`)))
    expect(found.map((one) => one !== undefined)).toEqual(outcomes)
    expect(outcomes).toContain(true)
    expect(outcomes).toContain(false)
    expect(await database.stores.issuer.prune(issued('').expiresAt + 1, 100)).toBe(100)
    await tokens.add(issued('after'))
    await database.check()
  })

  it('refuses more waiting writes than it was told to hold', async () => {
    const database = await openForTest(join(temporaryDirectory(), 'data.db'), { maxPending: 10 })
    const outcomes = await Promise.allSettled(
      Array.from({ length: 12 }, (_, i) => database.stores.issuer.issued.add(issued(`${i}`))),
    )
    expect(outcomes.map((outcome) => outcome.status === 'fulfilled')).toEqual([
      ...Array.from({ length: 10 }, () => true),
      false,
      false,
    ])
    expect(outcomes[11]).toMatchObject({ reason: { code: 'busy' } })
    await database.check()
  })

  it('answers every write that was under way when it closes, and none after', async () => {
    const path = join(temporaryDirectory(), 'data.db')
    const database = await openForTest(path)
    const adding = Array.from({ length: 500 }, (_, i) => database.stores.issuer.issued.add(issued(`${i}`)))
    const closing = database.close()
    await expect(database.stores.issuer.issued.add(issued('late'))).rejects.toMatchObject({ code: 'closed' })
    await expect(database.stores.issuer.issued.status('0')).rejects.toMatchObject({ code: 'closed' })
    await expect(database.check()).rejects.toMatchObject({ code: 'closed' })
    await Promise.all([...adding, closing, database.close()])
    const again = await openForTest(path)
    const found = await Promise.all(adding.map((_, i) => again.stores.issuer.issued.status(`${i}`)))
    expect(found.every((one) => one !== undefined)).toBe(true)
  })

  it('refuses a value that is not data, and only that', async () => {
    const database = await openForTest(join(temporaryDirectory(), 'data.db'))
    const { issued: tokens } = database.stores.issuer
    const outcomes = await Promise.allSettled([
      tokens.add(issued('before')),
      tokens.add({ ...issued('bad'), subject: (() => {}) as unknown as string }),
      tokens.add({ ...issued('fraction'), expiresAt: 1.5 }),
      tokens.add({ ...issued('missing'), kid: null as unknown as string }),
      tokens.add(issued('after')),
    ])
    expect(outcomes.map((outcome) => (outcome.status === 'fulfilled' ? 'ok' : outcome.reason.code))).toEqual([
      'ok',
      'invalid_value',
      'invalid_value',
      'invalid_value',
      'ok',
    ])
  })

  it('gives a conflict its code', async () => {
    const database = await openForTest(join(temporaryDirectory(), 'data.db'))
    await database.stores.issuer.issued.add(issued('j'))
    await expect(database.stores.issuer.issued.add(issued('j'))).rejects.toMatchObject({
      code: 'conflict',
      remedy: expect.stringContaining('new id'),
    })
  })

  it('names a key ring that is stored as something else', async () => {
    const path = join(temporaryDirectory(), 'data.db')
    const database = await openForTest(path)
    const raw = new Database(path)
    raw.exec(`INSERT INTO key_rings VALUES ('tokens', 1, '{'), ('feed', 1, '{"name":"tokens","version":1}')`)
    raw.close()
    await expect(database.stores.keys.read('tokens')).rejects.toMatchObject({ code: 'corrupt' })
    await expect(database.stores.keys.read('feed')).rejects.toMatchObject({ code: 'corrupt' })
  })
})
