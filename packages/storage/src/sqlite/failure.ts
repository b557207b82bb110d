import { isStorageError, StorageError, type StorageErrorCode } from '../storage-error.ts'

/** SQLite's result code by name (such as `SQLITE_IOERR_FSYNC`), if that is what failed. */
function sqliteCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined
  return error.code.startsWith('SQLITE_') ? error.code : undefined
}

export function isBusy(error: unknown): boolean {
  const code = sqliteCode(error)
  return code !== undefined && /^SQLITE_(BUSY|LOCKED|PROTOCOL)/.test(code)
}

const known: readonly (readonly [prefix: string, code: StorageErrorCode, message: string])[] = [
  ['SQLITE_BUSY', 'busy', 'Another process holds the database locked.'],
  ['SQLITE_LOCKED', 'busy', 'Another process holds the database locked.'],
  ['SQLITE_PROTOCOL', 'busy', 'Other processes kept changing the locks of the database.'],
  ['SQLITE_FULL', 'full', 'The volume of the database, or its size limit, is full.'],
  // The index of the log could not be made larger, before anything was written.
  ['SQLITE_IOERR_SHMSIZE', 'full', 'The volume of the database is full.'],
  ['SQLITE_IOERR', 'io_error', 'Reading or writing the database failed.'],
  ['SQLITE_CORRUPT', 'corrupt', 'The database is damaged.'],
  ['SQLITE_NOTADB', 'not_a_database', 'The file is not a SQLite database.'],
  ['SQLITE_READONLY', 'read_only', 'The database cannot be written.'],
  ['SQLITE_CANTOPEN', 'cannot_open', 'The database cannot be opened.'],
  ['SQLITE_PERM', 'cannot_open', 'The database cannot be opened.'],
  ['SQLITE_CONSTRAINT_PRIMARYKEY', 'conflict', 'There is a row by that id already.'],
  ['SQLITE_CONSTRAINT_UNIQUE', 'conflict', 'There is a row by that id already.'],
  ['SQLITE_CONSTRAINT', 'invalid_value', 'A value does not fit its column.'],
  ['SQLITE_MISMATCH', 'invalid_value', 'A value does not fit its column.'],
  ['SQLITE_TOOBIG', 'invalid_value', 'A value is too large.'],
]

/** What went wrong, in the package's own codes; the cause is kept. */
export function storageError(error: unknown): StorageError {
  if (isStorageError(error)) return error
  const code = sqliteCode(error)
  const found = known.find(([prefix]) => code?.startsWith(prefix))
  if (found === undefined) return new StorageError('failed', 'The storage failed.', { cause: error })
  return new StorageError(found[1], `${found[2]} (${code})`, { cause: error })
}
