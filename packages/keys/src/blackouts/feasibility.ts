import { KeysError } from '../keys-error.ts'
import type { ResolvedKeyPolicy } from '../policy.ts'
import type { Calendar } from './calendar.ts'
import { createCalendar } from './calendar.ts'

/** An opening shorter than this is not counted on: a process may just be starting. */
export const leastOpeningSeconds = 900
const day = 86_400
/** Weekly blackouts repeat; a year has both changes of the clocks. */
const horizonSeconds = 400 * day
const mostOpenings = 5000

/** When steps of a rotation may be taken. */
export interface Calendars {
  /** For letting a key sign. */
  readonly activation: Calendar
  /** For publishing one: without a standby only when the activation that follows will be outside, too. */
  readonly publication: Calendar
}

/** @throws KeysError `policy_invalid`, naming the setting */
export function calendarsOf(policy: ResolvedKeyPolicy): Calendars {
  const activation = createCalendar(policy.blackouts)
  const publication = policy.standby === 'on' ? activation : createCalendar(policy.blackouts, policy.propagationSeconds)
  return { activation, publication }
}

/** The beginning of the next opening that is long enough to be counted on. */
function nextRoom(calendar: Calendar, at: number): number {
  let open = calendar.nextOpen(at)
  for (let opening = 0; opening < mostOpenings; opening += 1) {
    if (open === Number.POSITIVE_INFINITY || calendar.nextClosed(open) - open >= leastOpeningSeconds) return open
    open = calendar.nextOpen(calendar.nextClosed(open))
  }
  return Number.POSITIVE_INFINITY
}

/**
 * Refuses blackouts that leave some key no moment to be replaced in before its greatest age. The worst case is a key that
 * begins to sign just too late for another rotation before a blackout: W before it.
 *
 * @throws KeysError `blackout_impossible`, naming the blackouts and the age
 */
export function refuseImpossibleBlackouts(policy: ResolvedKeyPolicy, calendars: Calendars, now: number): void {
  if (policy.blackouts.length === 0) return
  const { activation, publication } = calendars
  const { propagationSeconds, maxAgeSeconds } = policy
  const last = Math.max(
    now + horizonSeconds,
    ...policy.blackouts.map(({ from }) => Date.parse(`${from}:00Z`) / 1000 + day || 0),
  )
  let at = now - maxAgeSeconds
  for (let opening = 0; at < last && opening < mostOpenings; opening += 1) {
    const open = activation.nextOpen(at)
    const closes = open === Number.POSITIVE_INFINITY ? at : activation.nextClosed(open)
    if (closes === Number.POSITIVE_INFINITY) return
    const publishes = nextRoom(publication, closes)
    const activates = nextRoom(activation, publishes + propagationSeconds)
    const oldest = activates - closes + propagationSeconds
    if (oldest > maxAgeSeconds && activates > now) {
      const names = activation.namesBetween(closes, Math.min(activates, closes + maxAgeSeconds))
      const age = oldest === Number.POSITIVE_INFINITY ? 'any age' : `an age of ${Math.ceil(oldest)} s`
      throw new KeysError(
        'blackout_impossible',
        `with the blackouts ${names.join('; ')} a key may have to sign to ${age}, more than maxAgeSeconds, ${maxAgeSeconds}`,
      )
    }
    at = closes
  }
}
