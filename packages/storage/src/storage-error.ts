/** Why the storage did not do what it was asked. New codes may come in a minor release. */
export const storageErrorCodes = [
  'busy',
  'full',
  'io_error',
  'corrupt',
  'not_a_database',
  'schema_too_new',
  'schema_too_old',
  'unsafe_file',
  'cannot_open',
  'read_only',
  'conflict',
  'invalid_value',
  'not_found',
  'not_empty',
  'in_use',
  'not_a_backup',
  'backup_damaged',
  'backup_exists',
  'copy_differs',
  'closed',
  'writer_lost',
  'unavailable',
  'outcome_unknown',
  'failed',
] as const

export type StorageErrorCode = (typeof storageErrorCodes)[number]

/** What the operator should do about each code, apart from what went wrong. */
export const storageRemedies: Readonly<Record<StorageErrorCode, string>> = {
  busy: 'Try again. If it stays so, find what holds the database locked, or the load that outruns its disk or its connections.',
  full: 'Free space on the volume of the database, or raise its size limit; nothing was stored, and the service goes on by itself.',
  io_error:
    'Look at the disk (dmesg, smartctl), then start the process anew: after a failed write or fsync only a fresh start knows what is stored.',
  corrupt: 'Stop every process on the database, keep a copy of its files, and restore the last backup.',
  not_a_database: 'Check the path, or the schema: what is there is not a database of Countersign.',
  schema_too_new: 'Run the version of Countersign that last migrated this database, or a newer one.',
  schema_too_old:
    'Let a role that may change the tables bring the schema up to date: start one instance with migrations on.',
  unsafe_file:
    'Put the database in a directory of its own, as a plain file, not a symbolic link, owned by the account that runs the service.',
  cannot_open:
    'Check that the account of the service may use the database: the directory of its file, or the URL, password, certificate and grants of its role.',
  read_only:
    'Give the account of the service write access to the database file and its directory; with PostgreSQL name the primary in the URL.',
  conflict: 'Something by that id is stored already: make a new id and try again.',
  invalid_value: 'Correct the value named in the message.',
  not_found:
    'Check the address of the database. `countersign init` makes a new one, `countersign restore` puts a backup in its place.',
  not_empty:
    'Name an empty database, or one that is not there yet. `countersign restore --force` replaces what is there and keeps it as a backup.',
  in_use: 'Stop every service and command that has this database open, then run the command again.',
  not_a_backup: 'Name a file that `countersign backup` has made.',
  backup_damaged: 'Take another copy of the backup, or an earlier backup: nothing was changed.',
  backup_exists: 'Choose another name for the backup: nothing is ever overwritten.',
  copy_differs:
    'Nothing was stored. Try again; if it repeats, check the disk and the memory of both machines, and report it.',
  closed: 'Open the database again: it was closed.',
  writer_lost: 'Start the process anew; if it repeats, report the error in `cause`.',
  unavailable:
    'Look whether the database server runs and can be reached from here; the service goes on by itself as soon as it answers.',
  outcome_unknown:
    'Look whether it was stored before doing it again: the connection was lost while the server was committing.',
  failed: 'Report this with the error in `cause`: it is a fault of the storage package.',
}

/**
 * Thrown, or rejected with, whenever the storage fails. Except for `io_error`, `writer_lost` and
 * `outcome_unknown` nothing was stored then.
 */
export class StorageError extends Error {
  override readonly name = 'StorageError'
  readonly code: StorageErrorCode
  constructor(code: StorageErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
  /** What the operator should do next. */
  get remedy(): string {
    return storageRemedies[this.code]
  }
}

const codes: ReadonlySet<unknown> = new Set(storageErrorCodes)

/** True for a {@link StorageError} of any installed copy of this package (two copies break `instanceof`). */
export function isStorageError(error: unknown): error is StorageError {
  return error instanceof Error && error.name === 'StorageError' && 'code' in error && codes.has(error.code)
}
