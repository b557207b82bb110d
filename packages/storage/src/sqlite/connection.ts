import Database from 'better-sqlite3'
import type { Call, Result } from '../operation.ts'
import { StorageError } from '../storage-error.ts'

/** Milliseconds that SQLite itself may block a thread while another process holds a lock. */
const lockWaitMs = 20

const nothing: readonly unknown[] = []

/** One connection, with every statement prepared at its first use and kept. */
export class Connection {
  readonly database: Database.Database
  readonly #prepared = new Map<Call['statement'], Database.Statement<unknown[]>>()

  constructor(path: string, options: { readonly readOnly: boolean }) {
    this.database = new Database(path, { readonly: options.readOnly, fileMustExist: true, timeout: lockWaitMs })
    try {
      this.database.pragma('cache_size = -32000')
      this.database.pragma('trusted_schema = off')
      // What SQLite sets aside (pages before a change, rows being sorted) stays out of files in the temporary directory.
      this.database.pragma('temp_store = memory')
    } catch (error) {
      this.database.close()
      throw error
    }
  }

  readonly execute = (call: Call): Result => {
    for (const value of call.values) {
      // A surrogate without its other half, or NUL: SQLite would store other text, PostgreSQL none.
      if (typeof value === 'string' && (!value.isWellFormed() || value.includes('\0'))) {
        throw new StorageError('invalid_value', 'Text must be well-formed Unicode without NUL.')
      }
    }
    let prepared = this.#prepared.get(call.statement)
    if (prepared === undefined) {
      prepared = this.database.prepare<unknown[]>(call.statement.sql)
      this.#prepared.set(call.statement, prepared)
    }
    if (prepared.reader) return { rows: prepared.all(...call.values), changes: 0 }
    return { rows: nothing, changes: prepared.run(...call.values).changes }
  }

  /** The value of a setting of SQLite's, as a whole number. */
  number(pragma: string): number {
    const value = this.database.pragma(pragma, { simple: true })
    if (typeof value !== 'number') throw new StorageError('failed', `PRAGMA ${pragma} gave no number.`)
    return value
  }

  close(): void {
    this.database.close()
  }
}
