import { DummyDriver, Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely'
import { createReads, createWrites, type Reads, type Writes } from '../operations.ts'
import type { Schema } from '../schema.ts'
import { compileWith } from '../statement.ts'

/** Builds SQL in PostgreSQL's dialect; runs nothing. */
export function postgresBuilder(): Kysely<Schema> {
  return new Kysely<Schema>({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new PostgresIntrospector(db),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
  })
}

interface Operations {
  readonly reads: Reads
  readonly writes: Writes
}

let operations: Operations | undefined

/** Compiled at the first call of the process, and the same for all of its databases. */
export function operationsForPostgres(): Operations {
  if (operations === undefined) {
    const compile = compileWith(postgresBuilder(), { locksRows: true })
    operations = { reads: createReads(compile), writes: createWrites(compile) }
  }
  return operations
}
