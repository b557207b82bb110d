import type { Requested } from './key-ring.ts'
import { KeysError } from './keys-error.ts'
import type { KeyAudit, KeyAuditEvent } from './ports.ts'
import type { RingIdentity } from './ring-view.ts'
import type { Change, Transition } from './transitions.ts'

/** Longer reasons are cut. */
export const mostReasonCharacters = 1024

const actions: Readonly<Record<Transition['to'], KeyAuditEvent['action']>> = {
  pending: 'key.create',
  published: 'key.publish',
  active: 'key.activate',
  retiring: 'key.retire',
  retired: 'key.retire',
  revoked: 'key.revoke',
}

/** Who asks for a change, why, and which rules are set aside for it: for the audit log. */
export interface Motive extends Requested {
  readonly reason?: string | undefined
  readonly overrides?: string | undefined
}

/** What a ring tells its audit log. Nothing is done that could not be told. */
export interface RingRecord {
  /** @throws KeysError `audit_failed` */
  write(event: KeyAuditEvent): Promise<void>
  /** Each key's step. @throws KeysError `audit_failed` */
  record(change: Change, outcome: KeyAuditEvent['outcome'], motive: Motive): Promise<void>
}

export function createRingRecord(identity: RingIdentity, audit: KeyAudit | undefined): RingRecord {
  async function write(event: KeyAuditEvent): Promise<void> {
    try {
      await audit?.record(event)
    } catch (error) {
      throw new KeysError('audit_failed', `the change of the key ${event.target.id} could not be recorded`, {
        cause: error,
      })
    }
  }

  async function record(
    { transitions, document }: Change,
    outcome: KeyAuditEvent['outcome'],
    { actor = { type: 'system' }, reason, overrides }: Motive,
  ): Promise<void> {
    for (const { kid, from, to } of transitions) {
      const overridden = overrides === undefined ? {} : { overrides }
      const details = { ring: identity.name, version: document.version, from, to, ...overridden }
      const action = from === null ? 'key.create' : actions[to]
      const event = { action, outcome, actor, target: { type: 'key', id: kid } as const, details }
      await write(reason === undefined ? event : { ...event, reason: reason.slice(0, mostReasonCharacters) })
    }
  }

  return { write, record }
}
