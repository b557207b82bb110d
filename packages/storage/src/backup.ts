import type { PortableDatabase } from './portable/database.ts'
import { StorageError } from './storage-error.ts'

export { type Copied, type CopyPlan, copyDatabase, planCopy } from './portable/copy-database.ts'
export { type CreateBackupOptions, createBackup } from './portable/create-backup.ts'
export type { EngineName, OnProgress, PortableDatabase, Progress } from './portable/database.ts'
export { type BackupContents, type InspectedBackup, inspectBackup } from './portable/inspect-backup.ts'
export { type RestoreBackupOptions, type Restored, restoreBackup } from './portable/restore-backup.ts'

/**
 * The database at an address: `sqlite:PATH`.
 * @throws StorageError `invalid_value`
 */
export async function portableDatabase(address: string): Promise<PortableDatabase> {
  if (address.startsWith('sqlite:') && address.length > 'sqlite:'.length) {
    const { sqliteDatabase } = await import('./portable/sqlite-database.ts')
    return sqliteDatabase(address.slice('sqlite:'.length))
  }
  throw new StorageError('invalid_value', 'The address of a database is sqlite:PATH.')
}
