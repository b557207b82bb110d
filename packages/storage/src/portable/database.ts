import type { Row, Table } from './tables.ts'

export type EngineName = 'sqlite' | 'postgres'

/** One consistent look at everything that a database holds, for as long as it is open. */
export interface Snapshot {
  count(table: Table): Promise<number>
  /** All rows, some at a time, in any order. One table at a time. */
  rows(table: Table): AsyncIterable<readonly Row[]>
  close(): Promise<void>
}

/** The same by somebody who has the database to himself: no service runs on it, and none can start. */
export interface Exclusive extends Snapshot {
  /** Removes every row of every table. */
  clear(): Promise<void>
  insert(table: Table, rows: readonly Row[]): Promise<void>
  /** Makes all of it durable; closing without it leaves the database as it was. */
  commit(): Promise<void>
}

/** A database that can be copied from or to, whatever engine keeps it. */
export interface PortableDatabase {
  readonly engine: EngineName
  /** Where it is, without any password. */
  readonly place: string
  /** Beside a running service. @throws StorageError `not_found`, `schema_too_new` */
  snapshot(): Promise<Snapshot>
  /**
   * @param prepare `create`: makes the database where it is missing, and brings its schema up to date
   * @throws StorageError `in_use` while anybody else has it open; `not_found` without `create`
   */
  exclusive(prepare: 'create' | 'as_it_is'): Promise<Exclusive>
  /** Puts a database that cannot be read out of the way, under another name. @returns where it is now */
  setAside(suffix: string): Promise<string>
}

export interface Progress {
  readonly table: string
  /** Rows done, of all tables. */
  readonly done: number
  /** Rows in all. */
  readonly total: number
}

export type OnProgress = (progress: Progress) => void
