import { isStorageError, StorageError } from '../storage-error.ts'
import type { Exclusive, OnProgress, PortableDatabase } from './database.ts'
import { type BackupContents, inspectBackup } from './inspect-backup.ts'
import { type Marks, MarksReader } from './marks.ts'
import { Delivery, isEmpty } from './move-rows.ts'
import { NewLife } from './new-life.ts'
import { readBackup } from './read-backup.ts'
import { tables } from './tables.ts'
import { writeBackup } from './write-backup.ts'

export interface RestoreBackupOptions {
  /** Unix seconds: the least that the generation and the epoch become. */
  readonly now: number
  /** Replaces what is there, and keeps it as a backup at this path. Absent: only an empty database is taken. */
  readonly replace?: { readonly keepAt: string }
  /** Called once nothing speaks against it, before anything is changed; where it throws, nothing is. */
  readonly beforeChange?: () => Promise<void>
  /** Keys of tokens that were revoked after the backup, as far as that is known from elsewhere. */
  readonly revokedKeys?: readonly string[]
  readonly onProgress?: OnProgress
}

export interface Restored {
  readonly backup: BackupContents
  /** Rows by table as they are now. */
  readonly tables: Readonly<Record<string, number>>
  /** Tokens and sessions of lower generations are refused. */
  readonly globalGeneration: number
  readonly feedEpoch: number
  /**
   * Every key that the backup, what was there before or the caller knows to be revoked. A key ring of the backup may not
   * know it yet: whoever restores has to revoke it there, before a service starts.
   */
  readonly revokedKeys: readonly string[]
  /** Where what was there before is kept; null: it was empty. */
  readonly keptAt: string | null
}

/**
 * Puts a backup into a database, of whatever engine, in one transaction: all of it or nothing. Everybody has to sign in
 * anew, and every access token that was issued before is refused: tokens spent or revoked after the backup would
 * be good again otherwise.
 *
 * @throws StorageError `not_a_backup`, `backup_damaged`, `schema_too_new` before anything is touched; `in_use` while a
 * service runs; `not_empty` without `replace`; `copy_differs`
 */
export async function restoreBackup(
  path: string,
  database: PortableDatabase,
  options: RestoreBackupOptions,
): Promise<Restored> {
  const { onProgress = () => {}, replace, revokedKeys = [] } = options
  const now = Math.floor(options.now)
  const { contents, marks } = await inspectBackup(path)
  const opened = await openForRestore(database, replace?.keepAt)
  const { to } = opened
  let { keptAt } = opened
  try {
    let replaced: Marks | undefined
    const wasEmpty = await isEmpty(to)
    if (!wasEmpty && replace === undefined) {
      throw new StorageError('not_empty', `There is data in ${database.place} already.`)
    }
    await options.beforeChange?.()
    if (!wasEmpty && replace !== undefined) {
      replaced = await readMarks(to)
      await writeBackup(to, replace.keepAt, { createdAt: now, engine: database.engine })
      keptAt = replace.keepAt
    }
    const life = new NewLife(marks, replaced, revokedKeys, now)
    await to.clear()
    const delivery = new Delivery(to)
    let done = 0
    for await (const part of readBackup(path)) {
      if (part.type !== 'rows') continue
      await delivery.insert(part.table, life.change(part.table, part.rows))
      done += part.rows.length
      onProgress({ table: part.table.name, done, total: contents.rows })
    }
    for (const table of tables) await delivery.insert(table, life.added(table))
    const tallies = await delivery.verify()
    await to.commit()
    return {
      backup: contents,
      tables: Object.fromEntries(Object.entries(tallies).map(([table, { rows }]) => [table, rows])),
      globalGeneration: life.globalGeneration,
      feedEpoch: life.feedEpoch,
      revokedKeys: [...new Set([...revokedKeys, ...[marks, replaced].flatMap(revokedKeysOf)])].sort(),
      keptAt,
    }
  } finally {
    await to.close()
  }
}

/** A database that is damaged, which is when one restores, cannot be saved as a backup: it is put aside as it is. */
async function openForRestore(
  database: PortableDatabase,
  keepAt: string | undefined,
): Promise<{ readonly to: Exclusive; readonly keptAt: string | null }> {
  try {
    return { to: await database.exclusive('create'), keptAt: null }
  } catch (error) {
    const isUnreadable = isStorageError(error) && (error.code === 'corrupt' || error.code === 'not_a_database')
    if (!isUnreadable || keepAt === undefined) throw error
  }
  const aside = await database.setAside('damaged')
  return { to: await database.exclusive('create'), keptAt: aside }
}

function revokedKeysOf(marks: Marks | undefined): readonly string[] {
  return marks === undefined ? [] : [...marks.revokedKeys.keys(), ...marks.revokedInRings]
}

async function readMarks(database: Exclusive): Promise<Marks> {
  const marks = new MarksReader()
  for (const table of tables) for await (const rows of database.rows(table)) marks.add(table, rows)
  return marks.read()
}
