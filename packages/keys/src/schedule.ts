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

/** Everything that is to come, each with its time, those that are due with 0 or less. */
export function schedule(document: KeyRingDocument, policy: ResolvedKeyPolicy, ages: Ages): readonly Step[] {
  const steps: Step[] = []
  const active = activeKey(document)
  const untilRotation = policy.rotateAfterSeconds - ages.signingFor(active)
  const standby = standbyKey(document)
  for (const key of document.keys) {
    if (key.state === 'pending') steps.push({ kind: 'publish', kid: key.kid, inSeconds: 0 })
    if (key.state === 'retiring') {
      steps.push({ kind: 'retire', kid: key.kid, inSeconds: overlapOf(key, policy) - ages.elapsed(key) })
    }
  }
  if (standby === undefined) {
    const inSeconds = policy.standby === 'on' ? 0 : untilRotation - policy.propagationSeconds
    steps.push({ kind: 'mint', inSeconds })
  } else if (standby.state === 'published') {
    const inSeconds = Math.max(untilRotation, propagationLeft(standby, policy, ages))
    steps.push({ kind: 'activate', kid: standby.kid, inSeconds })
  }
  return steps
}

/** How urgent the age of the signing key is: two days before its end a warning, one day before it a page. */
export type AgeLevel = 'ok' | 'warn' | 'page' | 'over'

export function ageLevel(ageSeconds: number, { maxAgeSeconds }: ResolvedKeyPolicy): AgeLevel {
  if (ageSeconds > maxAgeSeconds) return 'over'
  if (ageSeconds > maxAgeSeconds - day) return 'page'
  return ageSeconds > maxAgeSeconds - 2 * day ? 'warn' : 'ok'
}
