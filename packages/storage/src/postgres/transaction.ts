import type { Operation, Result } from '../operation.ts'
import { StorageError } from '../storage-error.ts'
import { recourse } from './failure.ts'
import type { Session } from './session.ts'

const unread: Result = { rows: [], changes: 0 }

// Row locks decide, each taken where the operation needs it. Serialisable transactions would find the same conflicts at
// their end, and fifty refreshes of one token would run fifty times.
const begin = 'BEGIN ISOLATION LEVEL READ COMMITTED'

/** Runs an operation's statements, each by itself. */
export async function look<T>(session: Session, operation: Operation<T>): Promise<T> {
  let step = operation.next()
  while (step.done !== true) step = operation.next(await session.run(step.value))
  return step.value
}

/**
 * Runs an operation in a transaction. Statements whose result nobody reads go out with the next one, `BEGIN` with the
 * first and `COMMIT` with the last: a wait for each answer that counts.
 * @throws StorageError `outcome_unknown` when the connection is lost after COMMIT was sent, or a standby does not confirm
 * it; else nothing was stored
 */
export async function transact<T>(session: Session, operation: Operation<T>): Promise<T> {
  /** The first that failed of those that nobody waits for: what comes after it fails only because of it. */
  let failure: unknown
  const note = (error: unknown): void => {
    failure ??= error
  }
  session.command(begin).catch(note)
  let value: T
  try {
    let step = operation.next()
    while (step.done !== true) {
      const answer = session.run(step.value)
      if (step.value.isUnread) answer.catch(note)
      step = operation.next(step.value.isUnread ? unread : await answer)
    }
    value = step.value
  } catch (error) {
    await session.command('ROLLBACK').catch(() => session.destroy())
    throw failure ?? error
  }
  let done: string
  try {
    done = (await session.command('COMMIT')).command
  } catch (cause) {
    // A server that said no to a statement has rolled back; one that said nothing may have committed.
    if (failure !== undefined && recourse(failure) !== 'reconnect') throw failure
    if (recourse(cause) !== 'reconnect') throw cause
    throw new StorageError('outcome_unknown', 'The connection was lost during COMMIT.', { cause })
  }
  // COMMIT of a transaction that failed is a rollback, and no error.
  if (done !== 'COMMIT') throw failure ?? new StorageError('failed', `COMMIT was answered by ${done}.`)
  return value
}
