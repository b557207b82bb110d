import type { Compilable, Kysely } from 'kysely'
import type { Schema } from './schema.ts'

/** SQL that was built once; only values are bound when it runs. */
export interface Statement<P, R> {
  readonly sql: string
  /** Which parameter goes to each place, in order. */
  readonly places: readonly (keyof P & string)[]
  /** Only carries the row's type. */
  readonly row?: R
}

/** A statement without its types: what can be sent to another thread. */
export interface CompiledStatement {
  readonly sql: string
  readonly places: readonly string[]
}

/** Gives the place of a parameter, typed as its value. */
type Places<P> = <K extends keyof P & string>(name: K) => P[K]

type CompileCall = <P>() => <R>(build: (db: Kysely<Schema>, place: Places<P>) => Compilable<R>) => Statement<P, R>

/** Makes a statement of a query with named places in it: `compile<{ id: string }>()((db, p) => db.….where('id', '=', p('id')))`. */
export interface Compile extends CompileCall {
  /** Whether transactions run side by side, so that rows have to be locked; SQLite has one writer at a time. */
  readonly locksRows: boolean
}

/** Stands where a value will be bound. Kysely takes it for the value. */
class Place {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

export interface CompileOptions {
  readonly record?: (statement: CompiledStatement) => void
  /** @default false */
  readonly locksRows?: boolean
}

/**
 * Compiles through Kysely, and hands each statement to `record`. Kysely needs microseconds for a compilation, more than
 * SQLite for the query, so this happens once for each statement.
 */
export function compileWith(
  db: Kysely<Schema>,
  { record = () => {}, locksRows = false }: CompileOptions = {},
): Compile {
  const compile: CompileCall = () => (build) => {
    const { sql, parameters } = build(db, ((name: string) => new Place(name)) as never).compile()
    const places = parameters.map((parameter) => {
      if (parameter instanceof Place) return parameter.name
      throw new TypeError(`A value stands in a statement that runs with others: ${sql}`)
    })
    record({ sql, places })
    return { sql, places: places as never }
  }
  return Object.assign(compile, { locksRows })
}

/**
 * Gives the statements that were compiled elsewhere, in the same order: loading Kysely takes a thread longer than
 * everything else that it does at its start.
 */
export function replay(compiled: readonly CompiledStatement[]): Compile {
  let next = 0
  const compile: CompileCall = () => () => {
    const statement = compiled[next++]
    if (statement === undefined) throw new TypeError('There are fewer statements than operations need.')
    return statement as never
  }
  return Object.assign(compile, { locksRows: false })
}
