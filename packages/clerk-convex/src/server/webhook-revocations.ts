import type { WebhookEvent } from '@clerk/backend/webhooks'
import { type Clock, type Principal, systemClock } from '@countersign/tokens'
import { AuthError } from '../auth-error.ts'
import { endOf } from './webhook-end.ts'
import { objectOf } from './webhook-object.ts'

/** What a guard asks of revocation news: give it to `createGuard({ verifier, revocations })`. */
export interface WebhookRevocations {
  isRevoked(principal: Principal): boolean
  /** Calls back after anything was revoked. The result stops that. */
  onChange(call: () => void): () => void
  /** Takes in an event of {@link ClerkWebhooks}; those that revoke nothing do nothing. */
  note(event: WebhookEvent): void
}

export interface WebhookRevocationOptions {
  /** Longest life of a token that is accepted, 60 to 86,400 s: as in `clerkVerifier`. @default 3_600 */
  readonly maxLifeSeconds?: number
  readonly clock?: Clock
}

interface Revoked {
  /** Tokens issued until then are refused, in Unix seconds; later ones know of it. */
  readonly until: number
  /** No such token can live past that, by the monotonic clock. */
  readonly keptUntilMs: number
}

/** Most entries held; the oldest go first. */
const most = 100_000

/**
 * Revokes by Clerk's webhooks what its tokens would grant until their end: ended sessions, deleted and banned users,
 * deleted organisations, and what a member was before a change of role. Tokens of a change's own second are refused too.
 * Tokens of a JWT template name no session: the end of one ends those that its person had until then.
 *
 * Each process that guards has to get the events; what was revoked before it started is as old as a token's life then.
 *
 * @throws AuthError `bad_option`
 */
export function webhookRevocations(options: WebhookRevocationOptions = {}): WebhookRevocations {
  const { maxLifeSeconds = 3_600, clock = systemClock } = options
  if (!(maxLifeSeconds >= 60 && maxLifeSeconds <= 86_400)) {
    throw new AuthError('bad_option', 'webhookRevocations: "maxLifeSeconds" must be 60 to 86,400.')
  }
  const revoked = new Map<string, Revoked>()
  const calls = new Set<() => void>()

  /** Entries are in the order of their end, for each is kept for as long. */
  const forgetOld = (nowMs: number): void => {
    for (const [key, { keptUntilMs }] of revoked) {
      if (nowMs < keptUntilMs && revoked.size < most) return
      revoked.delete(key)
    }
  }
  const isHeld = (key: string, issuedAt: number): boolean => {
    const entry = revoked.get(key)
    return entry !== undefined && issuedAt <= entry.until
  }

  const hold = (key: string, until: number, nowMs: number): void => {
    const before = revoked.get(key)?.until ?? 0
    revoked.delete(key)
    // A minute more than any token lives, for clocks that differ.
    revoked.set(key, { until: Math.max(until, before), keptUntilMs: nowMs + (maxLifeSeconds + 60) * 1000 })
  }

  return {
    isRevoked({ subject, session, organization, issuedAt = 0, claims }) {
      if (revoked.size === 0) return false
      if (isHeld(`user:${subject}`, issuedAt)) return true
      if (session !== undefined && isHeld(`session:${session}`, issuedAt)) return true
      // A JWT without a session is of a template; what a machine shows has no end of its own in it, or no such person.
      const isOfTemplate = session === undefined && claims.exp !== undefined
      if (isOfTemplate && isHeld(`template:${subject}`, issuedAt)) return true
      if (organization === undefined) return false
      const isMember = `organizationMembership:${organization}:${subject}`
      return isHeld(`organization:${organization}`, issuedAt) || isHeld(isMember, issuedAt)
    },
    onChange(call) {
      calls.add(call)
      return () => calls.delete(call)
    },
    note(event) {
      const until = endOf(event)
      if (until === undefined) return
      const nowMs = clock.monotonicMs()
      forgetOld(nowMs)
      const data = event.data as unknown as Record<string, unknown>
      // An event that was not checked by `clerkWebhooks` may have no time: it ends what there is by now.
      const happened = Math.floor(event.timestamp / 1000) || Math.ceil(clock.now())
      hold(objectOf(event.type, data), Number.isNaN(until) ? happened : until, nowMs)
      const { user_id: person } = data
      if (event.type.startsWith('session.') && typeof person === 'string') hold(`template:${person}`, happened, nowMs)
      for (const call of calls) call()
    },
  }
}
