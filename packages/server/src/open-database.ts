import { readFile } from 'node:fs/promises'
import type { PostgresEvent, PostgresOptions } from '@countersign/storage/postgres'
import { openSqlite, type SqliteDatabase } from '@countersign/storage/sqlite'
import type { Clock } from '@countersign/tokens'
import type { ResolvedConfig } from './resolve-config.ts'
import { ServerError } from './server-error.ts'

/** A database of either engine. */
export type ServiceDatabase = Pick<SqliteDatabase, 'stores' | 'onChange' | 'check' | 'close'>

export interface OpenDatabaseOptions {
  readonly clock?: Clock
  /** Called once when SQLite can write no more; the process should end. */
  readonly onFatal?: (error: Error) => void
  /** Called with what happens to the connections to PostgreSQL. */
  readonly onDatabaseEvent?: (event: PostgresEvent) => void
}

/**
 * Opens the database of a configuration.
 * @throws ServerError `not_initialised` for a database of PostgreSQL without tables; StorageError
 */
export async function openDatabase(config: ResolvedConfig, options: OpenDatabaseOptions): Promise<ServiceDatabase> {
  const { clock, onFatal } = options
  if (config.databaseUrl === undefined) {
    return openSqlite(config.databaseFile, {
      ...(clock === undefined ? {} : { clock }),
      onEvent: (event) => {
        if (event.type === 'fatal') onFatal?.(event.error)
      },
    })
  }
  const { openPostgres, isStorageError } = await importPostgres()
  try {
    return await openPostgres(config.databaseUrl, { ...postgresOptions(config, options), create: false })
  } catch (error) {
    // Else a service whose URL names the wrong database would begin anew, with other keys and no users.
    if (!isStorageError(error) || error.code !== 'schema_too_old' || !error.message.includes('no tables')) throw error
    throw new ServerError('not_initialised', error.message, { cause: error })
  }
}

/**
 * Makes the tables of a new service in PostgreSQL.
 * @throws ServerError `already_initialised`; StorageError
 */
export async function createPostgresTables(config: ResolvedConfig, url: string): Promise<void> {
  const { openPostgres } = await importPostgres()
  let isNew = false
  const database = await openPostgres(url, {
    ...postgresOptions(config, {}),
    onEvent: (event) => {
      if (event.type === 'migrated' && event.from === 0) isNew = true
    },
  })
  await database.close()
  if (!isNew) throw new ServerError('already_initialised', 'The database has tables of a service already.')
}

/** The first line of a file. */
export async function readPassword(file: string): Promise<string> {
  const [line = ''] = (await readFile(file, 'utf8')).split(/\r?\n/, 1)
  return line
}

function postgresOptions(config: ResolvedConfig, { clock, onDatabaseEvent }: OpenDatabaseOptions): PostgresOptions {
  const { databasePasswordFile: file } = config
  return {
    ...(file === undefined ? {} : { password: () => readPassword(file) }),
    ...(clock === undefined ? {} : { clock }),
    ...(onDatabaseEvent === undefined ? {} : { onEvent: onDatabaseEvent }),
  }
}

/** Only now: whoever keeps everything in SQLite need not have `pg`. */
async function importPostgres(): Promise<typeof import('@countersign/storage/postgres')> {
  try {
    return await import('@countersign/storage/postgres')
  } catch (cause) {
    if (!(cause instanceof Error) || !('code' in cause) || cause.code !== 'ERR_MODULE_NOT_FOUND') throw cause
    throw new ServerError('config_invalid', 'database: PostgreSQL needs the package pg: npm install pg', { cause })
  }
}
