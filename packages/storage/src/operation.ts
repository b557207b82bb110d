import type { Statement } from './statement.ts'

/** A statement with its values, on its way to an engine. */
export interface Call {
  readonly statement: Statement<never, unknown>
  readonly values: readonly unknown[]
  /** Nobody reads the result: an engine behind a network goes on without waiting for it. */
  readonly isUnread?: true
}

export interface Result {
  readonly rows: readonly unknown[]
  /** Rows inserted, changed or deleted. */
  readonly changes: number
}

/**
 * What has to be done, apart from how: yields statements, receives their results. The same operation runs synchronously
 * inside SQLite's writer and over PostgreSQL's connections, which answer later; the engine puts a transaction around it.
 */
export type Operation<T> = Generator<Call, T, Result>

/** Undefined where the engine has one writer at a time. */
export type Lock<P> = Statement<P, unknown> | undefined

/** The operation behind a port's method. */
export type OperationOf<F> = F extends (...args: infer A) => Promise<infer T> ? (...args: A) => Operation<T> : never

/** Runs one statement and gives its rows. */
export function* all<P, R>(statement: Statement<P, R>, parameters: P): Generator<Call, readonly R[], Result> {
  return (yield bind(statement, parameters)).rows as readonly R[]
}

/** Runs one statement and gives its first row. */
export function* first<P, R>(statement: Statement<P, R>, parameters: P): Generator<Call, R | undefined, Result> {
  return (yield bind(statement, parameters)).rows[0] as R | undefined
}

/** Runs one statement and says how many rows it changed. */
export function* run<P>(statement: Statement<P, unknown>, parameters: P): Generator<Call, number, Result> {
  return (yield bind(statement, parameters)).changes
}

/** Runs one statement whose result nobody needs. One that fails makes the whole transaction fail. */
export function* send<P>(statement: Statement<P, unknown>, parameters: P): Generator<Call, void, Result> {
  yield { ...bind(statement, parameters), isUnread: true }
}

/** Locks rows until the end of the transaction, where an engine has to. */
export function* lock<P>(statement: Lock<P>, parameters: P): Generator<Call, void, Result> {
  if (statement !== undefined) yield* send(statement, parameters)
}

function bind<P>(statement: Statement<P, unknown>, parameters: P): Call {
  const values = new Array<unknown>(statement.places.length)
  for (let i = 0; i < values.length; i++) values[i] = parameters[statement.places[i] as keyof P]
  return { statement: statement as unknown as Statement<never, unknown>, values }
}

/** Runs an operation to its end over an engine that answers at once. */
export function perform<T>(operation: Operation<T>, execute: (call: Call) => Result): T {
  let step = operation.next()
  while (step.done !== true) step = operation.next(execute(step.value))
  return step.value
}
