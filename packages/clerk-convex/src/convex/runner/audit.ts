import type { RunnerAuditEntry } from '../../runner/options.ts'
import type { Known } from '../admission.ts'
import { type AuthWriter, type Origin, record, recordBounded } from '../audit.ts'
import type { Setting } from '../options.ts'

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

/** A row for each refusal within what `recordBounded` allows; beyond that a line of the log. */
export async function recordRefusal(
  db: AuthWriter,
  setting: Setting,
  { at, code }: Pick<Refusal, 'at' | 'code'>,
  known: Known,
  origin: Origin,
): Promise<void> {
  const { runner, user } = known
  const what = { kind: 'runner', action: 'runner.refused', outcome: 'denied', reason: code } as const
  if (await recordBounded(db, setting.now(), known, what, origin)) return
  const who = { ...(runner === undefined ? {} : { runner }), ...(user === undefined ? {} : { user }) }
  setting.emit({ type: 'runner_refused', at, code, ...who })
}
