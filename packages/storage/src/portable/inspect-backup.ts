import { StorageError } from '../storage-error.ts'
import type { BackupHead } from './backup-format.ts'
import { type Marks, MarksReader } from './marks.ts'
import { readBackup } from './read-backup.ts'

/** What is in a backup that was read to its end and found whole. */
export interface BackupContents extends BackupHead {
  readonly rows: number
  /** Of every byte before the last line. */
  readonly sha256: string
  /** Rows by table. */
  readonly tables: Readonly<Record<string, number>>
}

export interface InspectedBackup {
  readonly contents: BackupContents
  readonly marks: Marks
}

/** @throws StorageError `not_a_backup`, `backup_damaged`, `schema_too_new`; errors of the system as they come */
export async function inspectBackup(path: string): Promise<InspectedBackup> {
  const marks = new MarksReader()
  const counts: Record<string, number> = {}
  let head: BackupHead | undefined
  let end: Pick<BackupContents, 'rows' | 'sha256'> | undefined
  // To the very end of the file, past the part that says it.
  for await (const part of readBackup(path)) {
    if (part.type === 'head') head = part.head
    else if (part.type === 'end') end = { rows: part.rows, sha256: part.sha256 }
    else {
      const { table, rows } = part
      marks.add(table, rows)
      counts[table.name] = (counts[table.name] ?? 0) + rows.length
    }
  }
  if (head !== undefined && end !== undefined) {
    return { contents: { ...head, ...end, tables: counts }, marks: marks.read() }
  }
  throw new StorageError('not_a_backup', 'The file is not a backup of Countersign.')
}
