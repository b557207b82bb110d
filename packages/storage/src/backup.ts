import type { PortableDatabase } from './portable/database.ts'
import { StorageError } from './storage-error.ts'

export { type Copied, type CopyPlan, copyDatabase, planCopy } from './portable/copy-database.ts'
export { type CreateBackupOptions, createBackup } from './portable/create-backup.ts'
export type { EngineName, OnProgress, PortableDatabase, Progress } from './portable/database.ts'
export { type BackupContents, type InspectedBackup, inspectBackup } from './portable/inspect-backup.ts'
export { type RestoreBackupOptions, type Restored, restoreBackup } from './portable/restore-backup.ts'

/** Of PostgreSQL. */
export interface PlaceOptions {
  /** Instead of the URL's. */
  readonly password?: string | (() => string | Promise<string>)
  /** @default 'countersign' */
  readonly schema?: string
}

/**
 * The database at an address: `sqlite:PATH`, or a URL such as `postgres://user@host/database`.
 * @throws StorageError `invalid_value`; `cannot_open` for a file that the URL names and that cannot be read
 */
export async function portableDatabase(address: string, options: PlaceOptions = {}): Promise<PortableDatabase> {
  if (address.startsWith('sqlite:') && address.length > 'sqlite:'.length) {
    const { sqliteDatabase } = await import('./portable/sqlite-database.ts')
    return sqliteDatabase(address.slice('sqlite:'.length))
  }
  if (/^postgres(ql)?:/u.test(address)) {
    const { postgresDatabase } = await import('./portable/postgres-database.ts')
    return await postgresDatabase(address, options)
  }
  throw new StorageError('invalid_value', 'The address of a database is sqlite:PATH or postgres://user@host/database.')
}
