import { createHash, randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, link, open, unlink } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { StorageError } from '../storage-error.ts'
import { type BackupHead, writeEnd, writeHead, writeRow, writeTableEnd, writeTableHead } from './backup-format.ts'
import type { OnProgress, Snapshot } from './database.ts'
import { tables } from './tables.ts'
import { RowCounter, type Tally } from './tally.ts'

/** By table, in order. */
export type Tallies = Readonly<Record<string, Tally>>

const chunkCharacters = 256 * 1024

/**
 * Writes what a snapshot shows to a new file (0600), which is there whole and durable, or not at all.
 * @throws StorageError `backup_exists`; errors of the system as they come (`ENOENT`, `ENOSPC`, …)
 */
export async function writeBackup(
  snapshot: Snapshot,
  path: string,
  head: BackupHead,
  onProgress: OnProgress = () => {},
): Promise<Tallies> {
  const target = resolve(path)
  const temporary = join(dirname(target), `.${basename(target)}.${randomBytes(8).toString('hex')}.tmp`)
  const file = await open(temporary, 'wx', 0o600)
  try {
    let tallies: Tallies
    try {
      tallies = await writeLines(snapshot, file, head, onProgress)
      await file.sync()
    } finally {
      await file.close()
    }
    // A hard link, unlike a rename, never replaces what is there.
    await link(temporary, target).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === 'EEXIST') throw new StorageError('backup_exists', `${target} exists already.`, { cause })
      throw cause
    })
    return tallies
  } finally {
    await unlink(temporary)
    await syncDirectory(dirname(target))
  }
}

async function writeLines(
  snapshot: Snapshot,
  file: FileHandle,
  head: BackupHead,
  onProgress: OnProgress,
): Promise<Tallies> {
  const bytes = createHash('sha256')
  let text = ''
  const flush = async (): Promise<void> => {
    const chunk = Buffer.from(text)
    text = ''
    bytes.update(chunk)
    await file.writeFile(chunk)
  }
  let total = 0
  for (const table of tables) total += await snapshot.count(table)

  const tallies: Record<string, Tally> = {}
  let done = 0
  text += writeHead(head)
  for (const table of tables) {
    const counter = new RowCounter()
    text += writeTableHead(table)
    for await (const rows of snapshot.rows(table)) {
      for (const row of rows) {
        counter.add(row)
        text += writeRow(row)
      }
      if (text.length > chunkCharacters) await flush()
      done += rows.length
      onProgress({ table: table.name, done, total })
    }
    const tally = counter.tally()
    tallies[table.name] = tally
    text += writeTableEnd(table, tally)
  }
  await flush()
  await file.writeFile(writeEnd(done, bytes.digest('hex')))
  return tallies
}

async function syncDirectory(path: string): Promise<void> {
  // Windows cannot open directories, and needs no such sync.
  if (process.platform === 'win32') return
  const directory = await open(path, constants.O_RDONLY)
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
