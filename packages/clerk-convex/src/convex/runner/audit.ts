import type { RunnerAuditEntry } from '../../runner/options.ts'
import type { Known } from '../admission.ts'
import { type AuthWriter, type Origin, record } from '../audit.ts'
import type { Setting } from '../options.ts'

/** Rows of one refusal, for one runner or one person, or for all who show no token that holds. */
const mostRows = 10
const withinMs = 3_600_000

type Refusal = Extract<RunnerAuditEntry, { type: 'refused' }>

/** Writes down what a runner, or a person about a runner, did. Refusals have a function of their own. */
export async function recordRunner(
  db: AuthWriter,
  setting: Setting,
  entry: Exclude<RunnerAuditEntry, Refusal>,
  known: Known,
  origin: Origin,
): Promise<void> {
  const what = { kind: 'runner', outcome: 'allowed' } as const
  const now = setting.now()
  switch (entry.type) {
    case 'pairing_started':
      return record(db, now, known, { ...what, action: 'runner.pairing_started' }, origin)
    case 'pairing_denied':
      return record(db, now, { ...known, user: entry.by }, { ...what, action: 'runner.pairing_denied' }, origin)
    case 'pairing_approved': {
      const { by: user, organization, workspace, runner } = entry
      const who = { ...known, user, organization, workspace, runner }
      return record(db, now, who, { ...what, action: 'runner.pairing_approved' }, origin)
    }
    case 'tokens_ended': {
      const action = entry.revoked ? 'runner.revoked' : 'runner.tokens_ended'
      return record(db, now, { ...known, user: entry.by, runner: entry.runner }, { ...what, action }, origin)
    }
    case 'token_issued': {
      const { subject: user, organization, runner, tokenId: token, grant: reason } = entry
      const issued = { ...what, action: 'runner.token_issued', reason, token }
      return record(db, now, { ...known, user, organization, runner }, issued, origin)
    }
  }
}

/**
 * A row for each refusal, up to 10 an hour of the same code about the same runner or person; what is beyond that is a line
 * of the log. Refusals of strangers are counted together, so that no flood fills the table, and never with those of a
 * runner, so that none hides what befalls it.
 */
export async function recordRefusal(
  db: AuthWriter,
  setting: Setting,
  { at, code }: Pick<Refusal, 'at' | 'code'>,
  known: Known,
  origin: Origin,
): Promise<void> {
  const { runner, user } = known
  const action = 'runner.refused'
  const since = setting.now() * 1_000 - withinMs
  const written = await db
    .query('authAudit')
    .withIndex('by_refusal', (q) =>
      q.eq('action', action).eq('runner', runner).eq('user', user).eq('reason', code).gt('at', since),
    )
    .take(mostRows)
  if (written.length < mostRows) {
    await record(db, setting.now(), known, { kind: 'runner', action, outcome: 'denied', reason: code }, origin)
    return
  }
  const who = { ...(runner === undefined ? {} : { runner }), ...(user === undefined ? {} : { user }) }
  setting.emit({ type: 'runner_refused', at, code, ...who })
}
