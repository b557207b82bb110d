import type { Freshness, FreshnessLevel, RevocationEntry } from '@countersign/revocation'
import type { KeySource, Principal } from '@countersign/tokens'

/** What a guard asks of revocation news, held in memory: `followRevocations(…)`, or anything else that knows. */
export interface Revocations {
  /** Answers at once and never throws. */
  isRevoked(principal: Principal): boolean
  /**
   * Calls back after anything was revoked, with what it was; without, when it may be anything. The result stops that.
   */
  onChange(call: (added?: readonly RevocationEntry[]) => void): () => void
  /** How far the answers may be relied on now. @default always fresh */
  freshness?(): Freshness
  /** Calls back when the level of freshness changes; without it, nobody who is watched ends as stale. The result stops that. */
  onFreshness?(call: (level: FreshnessLevel) => void): () => void
  /** Resolves with the first news. @default there are news from the start */
  whenReady?(): Promise<void>
  /** Puts what is known of signing keys before their source: a guard that makes its own verifier does so. */
  useKeys?(keys: KeySource): KeySource
}
