import { checkEngine, type Engine, type Stores, storesOver } from '../stores.ts'
import { PostgresWatch } from './change-watch.ts'
import { PostgresEngine } from './engine.ts'
import { storageError } from './failure.ts'
import { checkVersion, migrate, versionOf } from './migrate.ts'
import { type PostgresOptions, type PostgresSettings, readOptions } from './options.ts'
import { Pool } from './pool.ts'

export interface PostgresStatistics {
  /** Open connections, whether used or not, besides the one that listens. */
  readonly connections: number
  /** Calls that wait for one now. */
  readonly waiting: number
  /** Transactions that ran again, because others were in the way (deadlocks, serialisation failures). */
  readonly retries: number
}

export interface PostgresDatabase {
  readonly stores: Stores
  /** Calls back (coalesced) after the revocation log, a key ring or a client changed, by whatever instance; the result stops it. */
  onChange(call: () => void): () => void
  /** Reads and writes for real, and looks at the version of the tables. @throws StorageError why it cannot */
  check(): Promise<void>
  statistics(): PostgresStatistics
  /** Takes no further calls, waits until those under way are answered, and closes every connection. */
  close(): Promise<void>
}

/**
 * Opens a database of PostgreSQL 13 or later, such as `postgres://user@host/database`: of several hosts the one that
 * takes writes. Makes the tables, or brings them up to date. Any number of instances may have it open.
 * @throws StorageError `unavailable`, `cannot_open`, `read_only`, `schema_too_old`, `schema_too_new`, `not_a_database`,
 * `busy`; `invalid_value` for an option out of bounds
 */
export async function openPostgres(url: string, options: PostgresOptions = {}): Promise<PostgresDatabase> {
  const settings = await readOptions(url, options)
  const pool = new Pool(settings)
  const engine = new PostgresEngine(pool, settings)
  try {
    await prepare(engine, settings)
    return databaseOver(pool, engine, settings)
  } catch (error) {
    await pool.close()
    throw storageError(error)
  }
}

function prepare(engine: PostgresEngine, settings: PostgresSettings): Promise<void> {
  const { schema, onEvent } = settings
  return engine.use(async (session) => {
    engine.noteClock(session.clockOffset)
    if (settings.migrate && (settings.create || (await versionOf(session, schema)) > 0)) {
      const { from, to } = await migrate(session, schema)
      if (from !== to) onEvent({ type: 'migrated', from, to })
    } else {
      await checkVersion(session, schema)
    }
  })
}

function askClock(engine: PostgresEngine): Promise<number> {
  return engine.use(async (session) => {
    const { rows } = await session.query('SELECT extract(epoch FROM clock_timestamp())::float8 AS now', [])
    return (rows[0] as { readonly now: number }).now
  })
}

function databaseOver(pool: Pool, engine: PostgresEngine, settings: PostgresSettings): PostgresDatabase {
  const watch = new PostgresWatch({
    settings,
    connect: () => pool.open(),
    use: (work) => engine.use(work),
    onClock: (offset) => engine.noteClock(offset),
  })
  const whole: Engine = {
    reads: engine.reads,
    read: (operation) => engine.read(operation),
    now: () => engine.now(),
    write: (name, ...args) => engine.write(name, ...args),
    onChange: (call) => watch.add(call),
    ...(settings.usesServerClock ? { askNow: () => askClock(engine) } : {}),
    check: async () => {
      await engine.use((session) => checkVersion(session, settings.schema))
      await checkEngine(whole)
    },
  }
  return {
    stores: storesOver(whole),
    onChange: (call) => watch.add(call),
    check: () => whole.check(),
    statistics: () => ({ ...pool.statistics, retries: engine.retries }),
    async close() {
      await Promise.all([watch.close(), engine.close()])
      await pool.close()
    },
  }
}
