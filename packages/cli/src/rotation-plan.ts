import type { KeyRingStatus, RotateOutcome } from '@countersign/keys'
import { othersOf } from './keys-page.ts'
import { fromNow } from './times.ts'

/** What `rotate` would do with a ring. */
export type Planned = { readonly ring: string } & (
  | { readonly would: 'publish' }
  | { readonly would: 'activate'; readonly kid: string }
  /** A blackout holds until then. */
  | { readonly would: 'refuse'; readonly until: number }
  | {
      readonly would: 'wait'
      readonly kid: string
      readonly activatesAt: number | null
      readonly waitingFor: readonly string[]
    }
)

/** What `rotate` would do now, read from the status: it changes nothing. */
export function planRotation(ring: KeyRingStatus, now: number, isEmergency: boolean): Planned {
  if (ring.blackoutUntil !== null && !isEmergency)
    return { ring: ring.name, would: 'refuse', until: ring.blackoutUntil }
  const standby = ring.keys.find((key) => key.state === 'published')
  if (standby === undefined) return { ring: ring.name, would: 'publish' }
  const at = standby.activatableAt
  const waitingFor = (standby.next?.waitingFor ?? []).filter((one) => !(isEmergency && one === 'blackout'))
  if (waitingFor.length === 0 && at !== null && (at <= now || isEmergency)) {
    return { ring: ring.name, would: 'activate', kid: standby.kid }
  }
  return { ring: ring.name, would: 'wait', kid: standby.kid, activatesAt: at, waitingFor }
}

export function sayPlan(plan: Planned, now: number): string {
  if (plan.would === 'publish') return `${plan.ring}: would publish a new key`
  if (plan.would === 'activate') return `${plan.ring}: would activate ${plan.kid}`
  if (plan.would === 'refuse') return `${plan.ring}: would be refused: a blackout ends ${fromNow(plan.until, now)}`
  const when = plan.activatesAt === null ? 'on command' : fromNow(plan.activatesAt, now)
  return `${plan.ring}: ${plan.kid} is published already; activates ${when}${othersOf(plan.waitingFor)}`
}

export function sayOutcome(ring: string, outcome: RotateOutcome, now: number): string {
  if (outcome.done)
    return `${ring}: ${outcome.activeKid} signs now; ${outcome.previousKid} verifies until it is withdrawn`
  const when = fromNow(outcome.activatesAt, now)
  return `${ring}: ${outcome.standbyKid} published; activates ${when}${othersOf(outcome.waitingFor)}`
}

/** All rings in one answer: done when each is, and the last instant and everything that is waited for when not. */
export function rotationDocument(outcomes: readonly ({ readonly ring: string } & RotateOutcome)[]): object {
  const waiting = outcomes.filter((outcome) => !outcome.done)
  const [only] = outcomes.length === 1 ? outcomes : []
  return {
    dryRun: false,
    done: waiting.length === 0,
    activeKid: only?.done ? only.activeKid : null,
    activatesAt: waiting.length === 0 ? null : Math.max(...waiting.map((outcome) => outcome.activatesAt)),
    waitingFor: [...new Set(waiting.flatMap((outcome) => outcome.waitingFor))],
    rings: outcomes,
  }
}
