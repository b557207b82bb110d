import { StorageError } from '../storage-error.ts'
import type { EngineName } from './database.ts'
import { fits, type Row, type Table, tables } from './tables.ts'
import type { Tally } from './tally.ts'

/**
 * A backup is lines of JSON: the head; of each table its name and columns, its rows as arrays, and their count and digest;
 * last the number of all rows and the SHA-256 of every byte before that line. Engines differ in none of it.
 */
export const formatVersion = 1

/** What the rows mean. Raised by a migration after which an older program would misread them. */
export const contentVersion = 1

/** Longer lines are refused: the longest that there are, key rings, have some megabytes at most. */
export const longestLineBytes: number = 64 * 1024 * 1024

export interface BackupHead {
  /** Unix seconds, to the millisecond. */
  readonly createdAt: number
  /** Where it came from. */
  readonly engine: EngineName
}

export interface TableHead {
  readonly table: Table
  /** Those that the file has, by their place among the table's. */
  readonly places: readonly number[]
}

export type Line =
  | { readonly type: 'head'; readonly head: BackupHead }
  | { readonly type: 'table'; readonly head: TableHead }
  | { readonly type: 'row'; readonly values: readonly unknown[] }
  | { readonly type: 'table_end'; readonly table: string; readonly tally: Tally }
  | { readonly type: 'end'; readonly rows: number; readonly sha256: string }

export function writeHead({ createdAt, engine }: BackupHead): string {
  return line({ countersign: 'backup', format: formatVersion, content: contentVersion, createdAt, engine })
}

export function writeTableHead(table: Table): string {
  return line({ table: table.name, columns: table.columns.map(({ name }) => name) })
}

export function writeRow(row: Row): string {
  return line(row)
}

export function writeTableEnd(table: Table, { rows, digest }: Tally): string {
  return line({ end: table.name, rows, digest })
}

export function writeEnd(rows: number, sha256: string): string {
  return line({ end: 'backup', rows, sha256 })
}

function line(value: unknown): string {
  return `${JSON.stringify(value)}\n`
}

/** @throws StorageError `backup_damaged`, `schema_too_new`; `not_a_backup` for a head that is none */
export function readLine(text: string, number: number): Line {
  const value = parse(text, number)
  if (number === 1 && !(typeof value === 'object' && value !== null && 'countersign' in value)) throw notABackup()
  if (Array.isArray(value)) return { type: 'row', values: value }
  if (typeof value !== 'object' || value === null) throw damaged(number)
  const fields = value as Readonly<Record<string, unknown>>
  if ('countersign' in fields) return { type: 'head', head: readHead(fields) }
  if ('table' in fields) return { type: 'table', head: readTableHead(fields, number) }
  const { end, rows, digest, sha256 } = fields
  if (!isCount(rows)) throw damaged(number)
  if (end === 'backup' && isHash(sha256)) return { type: 'end', rows, sha256 }
  if (typeof end === 'string' && isHash(digest)) return { type: 'table_end', table: end, tally: { rows, digest } }
  throw damaged(number)
}

function parse(text: string, number: number): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw number === 1 ? notABackup() : damaged(number)
  }
}

function readHead(fields: Readonly<Record<string, unknown>>): BackupHead {
  const { countersign, format, content, createdAt, engine } = fields
  if (countersign !== 'backup' || !isCount(format) || !isCount(content)) throw notABackup()
  if (format > formatVersion || content > contentVersion) throw tooNew()
  if (typeof createdAt !== 'number' || !(createdAt >= 0) || (engine !== 'sqlite' && engine !== 'postgres'))
    throw damaged(1)
  return { createdAt, engine }
}

function readTableHead({ table: name, columns }: Readonly<Record<string, unknown>>, number: number): TableHead {
  if (typeof name !== 'string' || !Array.isArray(columns)) throw damaged(number)
  const table = tables.find((one) => one.name === name)
  if (table === undefined) throw tooNew()
  const places = columns.map((column) => table.columns.findIndex((one) => one.name === column))
  if (places.includes(-1)) throw tooNew()
  if (new Set(places).size !== places.length) throw damaged(number)
  return { table, places }
}

/** A row as the table has it, completed where an older schema did not know a column. */
export function completeRow({ table, places }: TableHead, values: readonly unknown[], number: number): Row {
  if (values.length !== places.length) throw damaged(number)
  const row: unknown[] = table.columns.map(({ before }) => before)
  for (const [i, place] of places.entries()) row[place] = values[i]
  if (!isRow(table, row)) throw damaged(number)
  return row
}

export function isRow(table: Table, row: readonly unknown[]): row is Row {
  return table.columns.every(({ kind }, i) => fits(kind, row[i]))
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isHash(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)
}

export function damaged(number: number): StorageError {
  return new StorageError('backup_damaged', `The backup is damaged at line ${number}.`)
}

export function notABackup(): StorageError {
  return new StorageError('not_a_backup', 'The file is not a backup of Countersign.')
}

function tooNew(): StorageError {
  return new StorageError('schema_too_new', 'The backup was made by a newer program: this one does not know all of it.')
}
