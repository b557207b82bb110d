import type Database from 'better-sqlite3'
import { Connection } from './connection.ts'
import type { Transactional } from './group-commit.ts'

/** The one connection that writes, with the statements of its transactions prepared. */
export class WriterConnection extends Connection implements Transactional {
  readonly #begin: Database.Statement
  readonly #commit: Database.Statement
  readonly #rollback: Database.Statement
  readonly #savepoint: Database.Statement
  readonly #release: Database.Statement
  readonly #rollbackTo: Database.Statement

  constructor(path: string) {
    super(path, { readOnly: false })
    const { database } = this
    this.#begin = database.prepare('BEGIN IMMEDIATE')
    this.#commit = database.prepare('COMMIT')
    this.#rollback = database.prepare('ROLLBACK')
    this.#savepoint = database.prepare('SAVEPOINT member')
    this.#release = database.prepare('RELEASE member')
    this.#rollbackTo = database.prepare('ROLLBACK TO member')
  }

  get inTransaction(): boolean {
    return this.database.inTransaction
  }

  begin(): void {
    this.#begin.run()
  }

  commit(): void {
    this.#commit.run()
  }

  rollback(): void {
    this.#rollback.run()
  }

  savepoint(): void {
    this.#savepoint.run()
  }

  release(): void {
    this.#release.run()
  }

  rollbackToSavepoint(): void {
    this.#rollbackTo.run()
  }
}
