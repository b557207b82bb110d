import { existsSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { resolve } from 'node:path'
import Database from 'better-sqlite3'
import { isBusy, storageError } from '../sqlite/failure.ts'
import { prepareFile } from '../sqlite/files.ts'
import { migrations } from '../sqlite/migrations.ts'
import { applicationId, migrate, setUpWriter } from '../sqlite/prepare.ts'
import { StorageError } from '../storage-error.ts'
import { isRow } from './backup-format.ts'
import type { Exclusive, PortableDatabase, Snapshot } from './database.ts'
import { type Row, type Table, tables, type Value } from './tables.ts'

const rowsABatch = 1_000
/** A command that passes by is done after that; a service is not. */
const patienceMs = 1_000
const retryMs = 20

/** The SQLite database in a file. */
export function sqliteDatabase(path: string): PortableDatabase {
  const file = resolve(path)
  return {
    engine: 'sqlite',
    place: file,
    async snapshot() {
      requireFile(file)
      return await guarded(async () => openSnapshot(file))
    },
    async exclusive(prepare) {
      if (prepare === 'create') await prepareFile(file)
      else requireFile(file)
      return await guarded(() => openExclusive(file, prepare === 'create'))
    },
    async setAside(suffix) {
      const aside = `${file}.${suffix}-${Date.now()}`
      for (const companion of ['', '-wal', '-shm']) {
        if (existsSync(file + companion)) await rename(file + companion, aside + companion)
      }
      return aside
    },
  }
}

function requireFile(file: string): void {
  if (!existsSync(file)) throw new StorageError('not_found', `There is no database at ${file}.`)
}

async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw storageError(error)
  }
}

/** In the write-ahead log a reader sees one instant for as long as its transaction lasts, and stops no writer. */
function openSnapshot(file: string): Snapshot {
  const database = new Database(file, { readonly: true, fileMustExist: true, timeout: patienceMs })
  try {
    database.exec('BEGIN')
    checkVersion(database)
    return snapshotOf(database)
  } catch (error) {
    database.close()
    throw error
  }
}

function checkVersion(database: Database.Database): void {
  const id = database.pragma('application_id', { simple: true })
  const version = Number(database.pragma('user_version', { simple: true }))
  if (id !== applicationId) throw new StorageError('not_a_database', 'The file is not a database of Countersign.')
  // Columns that this program does not know would be left behind.
  if (version > migrations.length) {
    throw new StorageError(
      'schema_too_new',
      `The database has schema ${version}; this program knows ${migrations.length}.`,
    )
  }
}

function snapshotOf(database: Database.Database): Snapshot {
  const exists = database.prepare<[string]>("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?").pluck()
  const has = (table: Table): boolean => exists.get(table.name) !== undefined
  return {
    async count(table) {
      if (!has(table)) return 0
      return database.prepare(`SELECT count(*) FROM "${table.name}"`).pluck().get() as number
    },
    async *rows(table) {
      if (!has(table)) return
      let batch: Row[] = []
      for (const row of selectAll(database, table).iterate()) {
        if (!isRow(table, row)) {
          throw new StorageError('corrupt', `The table ${table.name} holds a value that does not belong there.`)
        }
        batch.push(row)
        if (batch.length < rowsABatch) continue
        yield batch
        batch = []
      }
      if (batch.length > 0) yield batch
    },
    async close() {
      database.close()
    },
  }
}

/** With what an older schema does not have. */
function selectAll(database: Database.Database, table: Table): Database.Statement<[], unknown[]> {
  const there = new Set(
    database.prepare<[string], string>('SELECT name FROM pragma_table_info(?)').pluck().all(table.name),
  )
  const columns = table.columns.map(({ name, before }) => (there.has(name) ? `"${name}"` : literal(before)))
  return database.prepare<[], unknown[]>(`SELECT ${columns.join(', ')} FROM "${table.name}"`).raw()
}

function literal(value: Value): string {
  if (value === null) return 'NULL'
  return typeof value === 'number' ? String(value) : `'${value.replaceAll("'", "''")}'`
}

/**
 * SQLite keeps a shared lock on a file in write-ahead mode for as long as a connection has it open, so the exclusive one
 * can be had only by who is alone with it; and nobody else can begin while it is held.
 */
async function openExclusive(file: string, create: boolean): Promise<Exclusive> {
  const until = performance.now() + patienceMs
  for (;;) {
    try {
      return begin(file, create)
    } catch (error) {
      if (!isBusy(error)) throw error
      if (performance.now() >= until) {
        throw new StorageError('in_use', `Another process has ${file} open.`, { cause: error })
      }
    }
    await new Promise((resolve) => setTimeout(resolve, retryMs))
  }
}

function begin(file: string, create: boolean): Exclusive {
  const database = new Database(file, { fileMustExist: true, timeout: retryMs })
  try {
    // Before anything is read: only then SQLite takes the lock on the file itself.
    database.pragma('locking_mode = exclusive')
    if (create) {
      const connection = { database, number: (pragma: string) => Number(database.pragma(pragma, { simple: true })) }
      setUpWriter(connection)
      migrate(connection)
    }
    database.exec('BEGIN EXCLUSIVE')
    checkVersion(database)
    return exclusiveOf(database)
  } catch (error) {
    database.close()
    throw error
  }
}

function exclusiveOf(database: Database.Database): Exclusive {
  const inserts = new Map<Table, Database.Statement<unknown[]>>()
  const insertInto = (table: Table): Database.Statement<unknown[]> => {
    const known = inserts.get(table)
    if (known !== undefined) return known
    const names = table.columns.map(({ name }) => `"${name}"`).join(', ')
    const places = table.columns.map(() => '?').join(', ')
    const made = database.prepare<unknown[]>(`INSERT INTO "${table.name}" (${names}) VALUES (${places})`)
    inserts.set(table, made)
    return made
  }
  const snapshot = snapshotOf(database)
  return {
    ...snapshot,
    async clear() {
      for (const table of [...tables].reverse()) database.exec(`DELETE FROM "${table.name}"`)
    },
    insert: (table, rows) =>
      guarded(async () => {
        const statement = insertInto(table)
        for (const row of rows) statement.run(...row)
      }),
    commit: () =>
      guarded(async () => {
        database.exec('COMMIT')
      }),
  }
}
