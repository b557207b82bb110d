import type { SessionEndReason } from '@countersign/issuer'
import type { Lock } from '../operation.ts'
import type { Compile, Statement } from '../statement.ts'

export interface SessionsToEnd {
  readonly id: string
  readonly reason: SessionEndReason
  readonly now: number
}

/**
 * Locks what `endSessions` ends, in one order everywhere: transactions that lock the same rows in different orders would
 * wait for each other.
 */
export function lockSessions(compile: Compile, column: 'user_id' | 'client_id'): Lock<{ readonly id: string }> {
  if (!compile.locksRows) return undefined
  return compile<{ readonly id: string }>()((db, p) =>
    db
      .selectFrom('sessions')
      .select('id')
      .where(column, '=', p('id'))
      .where('ended_at', 'is', null)
      .orderBy('id')
      .forNoKeyUpdate(),
  )
}

/** Ends the sessions whose `column` is `id`, except those that have ended already. */
export function endSessions(
  compile: Compile,
  column: 'id' | 'user_id' | 'client_id',
): Statement<SessionsToEnd, unknown> {
  return compile<SessionsToEnd>()((db, p) =>
    db
      .updateTable('sessions')
      .set((eb) => ({
        ended_at: p('now'),
        end_reason: p('reason'),
        keep_until: eb.case().when('issued_until', '>', p('now')).then(eb.ref('issued_until')).else(p('now')).end(),
      }))
      .where(column, '=', p('id'))
      .where('ended_at', 'is', null),
  )
}
