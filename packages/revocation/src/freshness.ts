import { RevocationError } from './errors.ts'

/**
 * How far what is held may be relied on: `starting`, nothing is held yet; `fresh`; `degraded`, still relied on; `late`,
 * not for sensitive scopes; `stale`, not at all.
 */
export type FreshnessLevel = 'starting' | 'fresh' | 'degraded' | 'late' | 'stale'

export interface Freshness {
  readonly level: FreshnessLevel
  /** Seconds since the issuer's store was read for what is held; Infinity while starting. */
  readonly ageSeconds: number
}

/** Ages in seconds, each up to the next, the last at most 60. */
export interface FreshnessPolicy {
  /** Up to this age the news are fresh, 2 to 60. @default 5 */
  readonly freshSeconds?: number
  /** Past this age sensitive scopes are refused. @default 30 */
  readonly sensitiveSeconds?: number
  /** Past this age everything is refused; at most 60, which a stricter house may lower. @default 60 */
  readonly staleSeconds?: number
}

/** @throws RevocationError `bad_option` */
export function resolveFreshness(policy: FreshnessPolicy = {}): Required<FreshnessPolicy> {
  const { freshSeconds = 5, sensitiveSeconds = 30, staleSeconds = 60 } = policy
  const ordered = 2 <= freshSeconds && freshSeconds <= sensitiveSeconds && sensitiveSeconds <= staleSeconds
  if (!ordered || !(staleSeconds <= 60)) {
    throw new RevocationError(
      'bad_option',
      '"freshness": 2 <= freshSeconds <= sensitiveSeconds <= staleSeconds <= 60 does not hold.',
    )
  }
  return { freshSeconds, sensitiveSeconds, staleSeconds }
}

/** How far news of this age may be relied on. */
export function levelAt(ageSeconds: number, policy: Required<FreshnessPolicy> = resolveFreshness()): FreshnessLevel {
  if (ageSeconds === Number.POSITIVE_INFINITY) return 'starting'
  if (ageSeconds <= policy.freshSeconds) return 'fresh'
  if (ageSeconds <= policy.sensitiveSeconds) return 'degraded'
  return ageSeconds <= policy.staleSeconds ? 'late' : 'stale'
}
