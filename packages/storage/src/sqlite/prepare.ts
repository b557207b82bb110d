import { StorageError } from '../storage-error.ts'
import type { Connection } from './connection.ts'
import { type Migration, migrations } from './migrations.ts'

/** "CSGN", in the file's header: marks a database as ours (PRAGMA application_id). */
export const applicationId = 0x43_53_47_4e

type Pragmas = Pick<Connection, 'database' | 'number'>

/** What was done to the schema when the database was opened. */
export interface Migrated {
  readonly from: number
  readonly to: number
}

/** Sets the writer's connection up: write-ahead log, a sync at every commit, foreign keys. May be busy. */
export function setUpWriter(connection: Pragmas): void {
  const { database } = connection
  const mode = database.pragma('journal_mode = wal', { simple: true })
  if (mode !== 'wal') {
    throw new StorageError('cannot_open', `The volume of the database has no write-ahead log: SQLite uses "${mode}".`)
  }
  database.pragma('synchronous = full')
  database.pragma('foreign_keys = on')
  // Put back into the database every 16 MiB, not 4: pages that change again and again are then copied a quarter as often.
  database.pragma('wal_autocheckpoint = 4096')
  // A log that grew in a rush is cut back to this many bytes when it starts anew.
  database.pragma('journal_size_limit = 67108864')
  // SQLite's own word on it, since everything that is acknowledged rests on this.
  if (connection.number('synchronous') !== 2) throw new StorageError('failed', 'SQLite does not sync at every commit.')
}

/**
 * Brings the schema up to this program's version, all of it or nothing, under the write lock. May be busy.
 * A database one version ahead is used as it is: a newer program beside this one migrated it, and migrations expand.
 */
export function migrate(connection: Pragmas, list: readonly Migration[] = migrations): Migrated {
  const { database } = connection
  if (connection.number('user_version') >= list.length) {
    const version = checkVersion(connection, list)
    return { from: version, to: version }
  }
  database.exec('BEGIN IMMEDIATE')
  try {
    const from = checkVersion(connection, list)
    for (const migration of list.slice(from)) database.exec(migration.sql)
    database.pragma(`application_id = ${applicationId}`)
    database.pragma(`user_version = ${Math.max(from, list.length)}`)
    database.exec('COMMIT')
    return { from, to: Math.max(from, list.length) }
  } catch (error) {
    if (database.inTransaction) database.exec('ROLLBACK')
    throw error
  }
}

function checkVersion(connection: Pragmas, list: readonly Migration[]): number {
  const version = connection.number('user_version')
  const id = connection.number('application_id')
  const isEmpty = connection.database.prepare('SELECT count(*) FROM sqlite_schema').pluck().get() === 0
  if (id !== applicationId && !(id === 0 && version === 0 && isEmpty)) {
    throw new StorageError('not_a_database', 'The file is a SQLite database of another program.')
  }
  if (version > list.length + 1) {
    throw new StorageError(
      'schema_too_new',
      `The database has schema ${version}; this program knows ${list.length} and works beside ${list.length + 1}.`,
    )
  }
  return version
}
