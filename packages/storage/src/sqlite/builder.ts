import { DummyDriver, Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely'
import { createReads, createWrites, type Reads } from '../operations.ts'
import type { Schema } from '../schema.ts'
import { type CompiledStatement, compileWith } from '../statement.ts'

/**
 * Writes `+?` for a parameter. better-sqlite3 is built with SQLITE_ENABLE_STAT4, under which the planner looks at the
 * values bound to a join and plans it anew whenever they change: 15 µs a call, ten times the query. It does not look
 * behind a plus.
 */
class StablePlans extends SqliteQueryCompiler {
  protected override getCurrentParameterPlaceholder(): string {
    return '+?'
  }
}

/** Builds SQL in SQLite's dialect; runs nothing. */
export function sqliteBuilder(): Kysely<Schema> {
  return new Kysely<Schema>({
    dialect: {
      createAdapter: () => new SqliteAdapter(),
      createDriver: () => new DummyDriver(),
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new StablePlans(),
    },
  })
}

interface Compiled {
  readonly reads: Reads
  /** Of the writes, for the thread that runs them. */
  readonly statements: readonly CompiledStatement[]
}

let compiled: Compiled | undefined

/** Compiled at the first call of the process, and the same for all of its databases. */
export function compileForSqlite(): Compiled {
  if (compiled === undefined) {
    const db = sqliteBuilder()
    const statements: CompiledStatement[] = []
    createWrites(compileWith(db, { record: (statement) => statements.push(statement) }))
    compiled = { reads: createReads(compileWith(db)), statements }
  }
  return compiled
}
