import pg from 'pg'
import { storageError } from '../postgres/failure.ts'
import { migrate } from '../postgres/migrate.ts'
import { migrations } from '../postgres/migrations.ts'
import { type PostgresOptions, type PostgresSettings, readOptions } from '../postgres/options.ts'
import { Pool } from '../postgres/pool.ts'
import { type Session, useLockClass } from '../postgres/session.ts'
import { StorageError } from '../storage-error.ts'
import { isRow } from './backup-format.ts'
import type { Exclusive, PortableDatabase, Snapshot } from './database.ts'
import { type Row, type Table, tables } from './tables.ts'

const rowsABatch = 1_000
const patienceMs = 1_000
const retryMs = 50

export type PostgresPlace = Pick<PostgresOptions, 'password' | 'schema'>

/** A database of PostgreSQL, at a URL such as `postgres://user@host/database`. */
export async function postgresDatabase(url: string, options: PostgresPlace = {}): Promise<PortableDatabase> {
  const settings = await readOptions(url, { ...options, applicationName: 'countersign copy' })
  const { host, port } = settings.places[0] ?? { host: '', port: 0 }
  const connect = (): Promise<Session> => new Pool(settings).open()
  return {
    engine: 'postgres',
    place: `postgres://${host}:${port}/${settings.database}?schema=${settings.schema}`,
    snapshot: () =>
      withSession(connect, async (session) => {
        await checkVersion(session, settings)
        // The first question fixes the instant.
        await session.command(`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; ${untimed}; SELECT FROM settings`)
        return snapshotOf(session)
      }),
    exclusive: (prepare) =>
      withSession(connect, async (session) => {
        await beAlone(session, settings)
        if (prepare === 'create') await migrate(session, settings.schema)
        await checkVersion(session, settings)
        await session.command(`BEGIN ISOLATION LEVEL REPEATABLE READ; ${untimed}`)
        return exclusiveOf(session)
      }),
    async setAside() {
      throw new StorageError('not_a_database', `The schema "${settings.schema}" holds tables of another program.`)
    },
  }
}

/** A copy takes as long as it takes. */
const untimed = 'SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0'

async function withSession<T>(connect: () => Promise<Session>, work: (session: Session) => Promise<T>): Promise<T> {
  const session = await connect()
  try {
    return await work(session)
  } catch (error) {
    await session.close()
    throw storageError(error)
  }
}

async function checkVersion(session: Session, { schema }: PostgresSettings): Promise<void> {
  const there = `to_regclass(${pg.escapeLiteral(`${schema}.schema_version`)}) IS NOT NULL AS there`
  const found = (await session.command(`SELECT ${there}`)).rows[0] as { readonly there: boolean }
  if (!found.there) throw new StorageError('not_found', `There is no schema "${schema}" of Countersign.`)
  const row = (await session.command('SELECT version FROM schema_version WHERE id = 1')).rows[0]
  const version = (row as { readonly version: number } | undefined)?.version ?? 0
  const both = `The schema "${schema}" has version ${version}; this program knows ${migrations.length}.`
  // Columns that this program does not know would be left behind.
  if (version > migrations.length) throw new StorageError('schema_too_new', both)
  if (version < migrations.length) throw new StorageError('schema_too_old', both)
}

/** Every session of a service holds this lock together with all others; alone it can be had when there are none. */
async function beAlone(session: Session, { schema }: PostgresSettings): Promise<void> {
  const until = performance.now() + patienceMs
  const key = `${useLockClass}, hashtext(${pg.escapeLiteral(schema)})`
  for (;;) {
    const { rows } = await session.command(`SELECT pg_try_advisory_lock(${key}) AS alone`)
    if ((rows[0] as { readonly alone: boolean }).alone) return
    if (performance.now() >= until) {
      throw new StorageError('in_use', `Somebody else is connected to the schema "${schema}".`)
    }
    await new Promise((resolve) => setTimeout(resolve, retryMs))
  }
}

async function ask(session: Session, sql: string): Promise<readonly unknown[]> {
  try {
    return (await session.command(sql)).rows
  } catch (error) {
    throw storageError(error)
  }
}

function snapshotOf(session: Session): Snapshot {
  return {
    async count({ name }) {
      const [row] = await ask(session, `SELECT count(*) AS rows FROM "${name}"`)
      return (row as { readonly rows: number }).rows
    },
    async *rows(table) {
      const names = table.columns.map(({ name }) => name)
      const columns = names.map((name) => `"${name}"`).join(', ')
      await ask(session, `DECLARE everything NO SCROLL CURSOR FOR SELECT ${columns} FROM "${table.name}"`)
      for (;;) {
        const found = await ask(session, `FETCH ${rowsABatch} FROM everything`)
        if (found.length === 0) break
        yield found.map((row) => toRow(table, names, row as Readonly<Record<string, unknown>>))
      }
      await ask(session, 'CLOSE everything')
    },
    close: () => session.close(),
  }
}

function toRow(table: Table, names: readonly string[], fields: Readonly<Record<string, unknown>>): Row {
  const row = names.map((name) => fields[name])
  if (isRow(table, row)) return row
  throw new StorageError('corrupt', `The table ${table.name} holds a value that does not belong there.`)
}

function exclusiveOf(session: Session): Exclusive {
  return {
    ...snapshotOf(session),
    async clear() {
      await ask(session, `TRUNCATE ${tables.map(({ name }) => `"${name}"`).join(', ')}`)
    },
    async insert(table, rows) {
      try {
        const values = table.columns.map((_, i) => rows.map((row) => row[i]))
        await session.query(insertInto(table), values)
      } catch (error) {
        throw storageError(error)
      }
    },
    async commit() {
      await ask(session, 'COMMIT')
    },
  }
}

/** A column at a time: the statement is the same however many rows there are. */
function insertInto({ name, columns }: Table): string {
  const names = columns.map((column) => `"${column.name}"`).join(', ')
  const lists = columns.map(({ kind }, i) => `$${i + 1}::${kind.startsWith('text') ? 'text' : 'int8'}[]`).join(', ')
  return `INSERT INTO "${name}" (${names}) SELECT * FROM unnest(${lists})`
}
