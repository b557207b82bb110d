import { StorageError } from '../storage-error.ts'
import type { OnProgress, PortableDatabase } from './database.ts'
import { type BackupContents, inspectBackup } from './inspect-backup.ts'
import { writeBackup } from './write-backup.ts'

export interface CreateBackupOptions {
  /** Unix seconds. */
  readonly now: number
  readonly onProgress?: OnProgress
}

/**
 * Saves all that a database holds at one instant into a new file (0600), while services go on writing; then reads the
 * file back. Private keys are in it as they are stored, sealed: the key-encryption key is not.
 *
 * @throws StorageError `backup_exists`, `not_found`, `schema_too_new`, and what reading throws; errors of the system as
 * they come (`ENOENT`, `ENOSPC`, …)
 */
export async function createBackup(
  database: PortableDatabase,
  path: string,
  { now, onProgress }: CreateBackupOptions,
): Promise<BackupContents> {
  // Before the look: what comes after it may be in the backup, what comes before it is.
  const createdAt = Math.floor(now * 1000) / 1000
  const snapshot = await database.snapshot()
  let written: Awaited<ReturnType<typeof writeBackup>>
  try {
    written = await writeBackup(snapshot, path, { createdAt, engine: database.engine }, onProgress)
  } finally {
    await snapshot.close()
  }
  const { contents } = await inspectBackup(path)
  for (const [table, { rows }] of Object.entries(written)) {
    if ((contents.tables[table] ?? 0) === rows) continue
    throw new StorageError('copy_differs', `The backup reads back with another number of rows in the table ${table}.`)
  }
  return contents
}
