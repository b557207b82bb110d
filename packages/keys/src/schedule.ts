import { type Calendars, leastOpeningSeconds } from './blackouts/feasibility.ts'
import type { KeyRecord, KeyRingDocument } from './document.ts'
import type { ResolvedKeyPolicy } from './policy.ts'
import { activeKey, standbyKey } from './transitions.ts'

const day = 86_400

/** What the scheduler does next with a ring. */
export type Step =
  | { readonly kind: 'mint'; readonly inSeconds: number }
  | { readonly kind: 'publish' | 'activate' | 'retire'; readonly kid: string; readonly inSeconds: number }

/** What the schedule needs to know of time. */
export interface Ages {
  /** Seconds since the key came into its state; clocks that step do not move it. */
  elapsed(key: KeyRecord): number
  /** Seconds since the active key began to sign, by whichever clock says more. */
  signingFor(active: KeyRecord): number
  /** Unix seconds, for blackouts: these are on the wall clock. */
  now(): number
  readonly calendars: Calendars
}

/** Seconds until every verifier that keeps to the policy holds the published key; 0 or less: now. */
export function propagationLeft(key: KeyRecord, policy: ResolvedKeyPolicy, ages: Ages): number {
  return policy.propagationSeconds - (key.state === 'published' ? ages.elapsed(key) : 0)
}

/** How long a retiring key stays visible: longer than the policy says if some process signs longer-lived tokens. */
function overlapOf(key: KeyRecord, policy: ResolvedKeyPolicy): number {
  const needed = (key.longestLifeSeconds ?? 0) + policy.signerLeaseSeconds + policy.skewSeconds
  return Math.max(policy.overlapSeconds, needed)
}

/** How long before a blackout that cannot be waited for the scheduler works ahead of it. */
const aheadSeconds = 2 * day

/**
 * When a step is taken that is due in `inSeconds`: then, or after the blackout that holds then; if the key would be older
 * than `mostSeconds` from now by that, before it, but not sooner than in `leastSeconds`.
 */
function planned(
  ages: Ages,
  step: keyof Calendars,
  inSeconds: number,
  leastSeconds: number,
  mostSeconds: number,
): number {
  const calendar = ages.calendars[step]
  const now = ages.now()
  const due = now + Math.max(inSeconds, leastSeconds, 0)
  const after = calendar.nextOpen(due)
  if (after === due || after <= now + mostSeconds) return after - now
  const before = calendar.openingBefore(due, leastOpeningSeconds)
  if (before === undefined) return after - now
  const ahead = Math.max(before.from, before.to - aheadSeconds, now + leastSeconds)
  return ahead < before.to && now < before.to ? ahead - now : after - now
}

/** The day before the last moment for an activation: from then on consumers that do not answer hold it up no more. */
export function isLastDay(active: KeyRecord, policy: ResolvedKeyPolicy, ages: Ages): boolean {
  const limit = ages.now() + policy.maxAgeSeconds - ages.signingFor(active)
  if (policy.blackouts.length === 0) return ages.now() > limit - day
  const { activation } = ages.calendars
  return ages.now() > (activation.openingBefore(limit, 0)?.to ?? limit) - day
}

/** Everything that is to come, each with its time, those that are due with 0 or less. */
export function schedule(document: KeyRingDocument, policy: ResolvedKeyPolicy, ages: Ages): readonly Step[] {
  const steps: Step[] = []
  const active = activeKey(document)
  const untilRotation = policy.rotateAfterSeconds - ages.signingFor(active)
  const untilTooOld = policy.maxAgeSeconds - ages.signingFor(active)
  const standby = standbyKey(document)
  for (const key of document.keys) {
    if (key.state === 'pending') steps.push({ kind: 'publish', kid: key.kid, inSeconds: untilPublication(ages) })
    if (key.state === 'retiring') {
      steps.push({ kind: 'retire', kid: key.kid, inSeconds: overlapOf(key, policy) - ages.elapsed(key) })
    }
  }
  if (standby === undefined) {
    const lead = policy.propagationSeconds
    const inSeconds =
      policy.standby === 'on'
        ? untilPublication(ages)
        : planned(ages, 'publication', untilRotation - lead, 0, untilTooOld - lead)
    steps.push({ kind: 'mint', inSeconds })
  } else if (standby.state === 'published') {
    const least = propagationLeft(standby, policy, ages)
    const inSeconds = planned(ages, 'activation', untilRotation, least, untilTooOld)
    steps.push({ kind: 'activate', kid: standby.kid, inSeconds })
  }
  return steps
}

const untilPublication = (ages: Ages): number => ages.calendars.publication.nextOpen(ages.now()) - ages.now()

/** How urgent the age of the signing key is: two days before its end a warning, one day before it a page. */
export type AgeLevel = 'ok' | 'warn' | 'page' | 'over'

export function ageLevel(ageSeconds: number, { maxAgeSeconds }: ResolvedKeyPolicy): AgeLevel {
  if (ageSeconds > maxAgeSeconds) return 'over'
  if (ageSeconds > maxAgeSeconds - day) return 'page'
  return ageSeconds > maxAgeSeconds - 2 * day ? 'warn' : 'ok'
}
