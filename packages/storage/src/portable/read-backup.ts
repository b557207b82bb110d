import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import {
  type BackupHead,
  completeRow,
  damaged,
  longestLineBytes,
  notABackup,
  readLine,
  type TableHead,
} from './backup-format.ts'
import type { Row, Table } from './tables.ts'
import { RowCounter } from './tally.ts'

const rowsABatch = 1_000
const newline = 0x0a

export type BackupPart =
  | { readonly type: 'head'; readonly head: BackupHead }
  | { readonly type: 'rows'; readonly table: Table; readonly rows: readonly Row[] }
  /** Every count, digest and byte was as the file says. */
  | { readonly type: 'end'; readonly rows: number; readonly sha256: string }

/**
 * Reads a backup a part at a time. Nothing of it may be relied on before the `end` has come.
 * @throws StorageError `not_a_backup`, `backup_damaged`, `schema_too_new`; errors of the system as they come
 */
export async function* readBackup(path: string): AsyncGenerator<BackupPart, void> {
  const hash = createHash('sha256')
  let number = 0
  let total = 0
  let isEnded = false
  let table: TableHead | undefined
  let counter = new RowCounter()
  let batch: Row[] = []
  const known = new Set<string>()

  for await (const bytes of linesOf(path)) {
    number += 1
    if (isEnded) throw damaged(number)
    const line = readLine(decode(bytes, number), number)
    if ((line.type === 'head') !== (number === 1)) throw damaged(number)
    if (line.type === 'end') {
      if (table !== undefined || line.rows !== total || hash.digest('hex') !== line.sha256) throw damaged(number)
      isEnded = true
      yield line
      continue
    }
    hash.update(bytes).update('\n')
    if (line.type === 'head') yield line
    else if (line.type === 'table') {
      if (table !== undefined || known.has(line.head.table.name)) throw damaged(number)
      table = line.head
      known.add(table.table.name)
      counter = new RowCounter()
    } else if (line.type === 'row') {
      if (table === undefined) throw damaged(number)
      batch.push(completeRow(table, line.values, number))
      counter.add(line.values as Row)
    } else {
      const { rows, digest } = counter.tally()
      if (table?.table.name !== line.table || rows !== line.tally.rows || digest !== line.tally.digest) {
        throw damaged(number)
      }
    }
    if (table !== undefined && (batch.length >= rowsABatch || (line.type === 'table_end' && batch.length > 0))) {
      total += batch.length
      yield { type: 'rows', table: table.table, rows: batch }
      batch = []
    }
    if (line.type === 'table_end') table = undefined
  }
  if (!isEnded) throw number === 0 ? notABackup() : damaged(number + 1)
}

/** Whole lines as they stand in the file, without their ends; a last line without one is no line. */
async function* linesOf(path: string): AsyncGenerator<Uint8Array, void> {
  let parts: Uint8Array[] = []
  let length = 0
  let number = 1
  for await (const chunk of createReadStream(path, { highWaterMark: 256 * 1024 })) {
    const bytes: Uint8Array = chunk
    let from = 0
    for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, from)) {
      const last = bytes.subarray(from, end)
      yield parts.length === 0 ? last : Buffer.concat([...parts, last])
      parts = []
      length = 0
      number += 1
      from = end + 1
    }
    const rest = bytes.subarray(from)
    length += rest.length
    if (length > longestLineBytes) throw number === 1 ? notABackup() : damaged(number)
    if (rest.length > 0) parts.push(rest)
  }
  if (length > 0) throw number === 1 ? notABackup() : damaged(number)
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function decode(bytes: Uint8Array, number: number): string {
  try {
    return decoder.decode(bytes)
  } catch {
    throw number === 1 ? notABackup() : damaged(number)
  }
}
