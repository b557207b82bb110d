import type { GenericDatabaseWriter, RequestMetadata } from 'convex/server'
import type { Known } from './admission.ts'
import type { RunnerDataModel } from './runner/tables.ts'
import type { AuditRow } from './tables.ts'

export type AuthWriter = GenericDatabaseWriter<RunnerDataModel>

/** Longest of what a client says about itself. */
const longestUserAgent = 256

/** Rows that one refusal has in that time, of all whom it is about together. */
const mostRows = 10
const withinMs = 3_600_000

type What = Pick<AuditRow, 'kind' | 'action' | 'outcome'> & { readonly reason?: string; readonly token?: string }

/** Where a call came from, without the token. */
export type Origin = Pick<RequestMetadata, 'ip' | 'userAgent' | 'requestId'>

/** Writes one row. It commits or is rolled back with the function that it tells of. */
export async function record(db: AuthWriter, now: number, known: Known, what: What, origin?: Origin): Promise<void> {
  const { ip, userAgent, requestId } = origin ?? {}
  const row: AuditRow = {
    at: Math.round(now * 1_000),
    ...what,
    ...known,
    ...(typeof requestId === 'string' ? { requestId } : {}),
    ...(typeof ip === 'string' ? { ip } : {}),
    ...(typeof userAgent === 'string' ? { userAgent: userAgent.slice(0, longestUserAgent) } : {}),
  }
  await db.insert('authAudit', row)
}

/**
 * {@link record}, up to 10 rows an hour of the same action and reason about the same runner or user, or about strangers
 * all together: a flood of theirs fills no table, and hides nothing about anybody else.
 *
 * @returns false where no row was written: then say it in the log
 */
export async function recordBounded(
  db: AuthWriter,
  now: number,
  known: Known,
  what: What & { readonly reason: string },
  origin: Origin,
): Promise<boolean> {
  const { action, reason } = what
  const { runner, user } = known
  const written = await db
    .query('authAudit')
    .withIndex('by_refusal', (q) =>
      q
        .eq('action', action)
        .eq('runner', runner)
        .eq('user', user)
        .eq('reason', reason)
        .gt('at', now * 1_000 - withinMs),
    )
    .take(mostRows)
  if (written.length >= mostRows) return false
  await record(db, now, known, what, origin)
  return true
}
