import type { GenericDatabaseWriter, RequestMetadata } from 'convex/server'
import type { Known } from './admission.ts'
import type { RunnerDataModel } from './runner/tables.ts'
import type { AuditRow } from './tables.ts'

export type AuthWriter = GenericDatabaseWriter<RunnerDataModel>

/** Longest of what a client says about itself. */
const longestUserAgent = 256

/** Where a call came from, without the token. */
export type Origin = Pick<RequestMetadata, 'ip' | 'userAgent' | 'requestId'>

/** Writes one row. It commits or is rolled back with the function that it tells of. */
export async function record(
  db: AuthWriter,
  now: number,
  known: Known,
  what: Pick<AuditRow, 'kind' | 'action' | 'outcome'> & { readonly reason?: string; readonly token?: string },
  origin?: Origin,
): Promise<void> {
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
