import { type Freshness, type FreshnessLevel, levelAt, type RevocationEntry } from '@countersign/revocation'
import type { Principal } from '@countersign/tokens'

/** What is revoked, as the issuer's own process knows it: for a guard beside it, which then needs no feed over HTTP. */
export interface LocalRevocations {
  isRevoked(principal: Principal): boolean
  /** Calls back after anything was revoked, with what it was; without, when it may be anything. The result stops that. */
  onChange(call: (added?: readonly RevocationEntry[]) => void): () => void
  /** By when the store was last read. */
  freshness(): Freshness
  onFreshness(call: (level: FreshnessLevel) => void): () => void
}

/** `look` is for the beat: it tells when the level has changed. */
export function createLocalRevocations(
  view: {
    isRevoked(principal: Principal): boolean
    onChange(call: (added: readonly RevocationEntry[] | undefined) => void): () => void
  },
  ageSeconds: () => number,
): { readonly revocations: LocalRevocations; look(): void } {
  const listeners = new Set<(level: FreshnessLevel) => void>()
  let last: FreshnessLevel = 'starting'
  const freshness = (): Freshness => {
    const age = ageSeconds()
    return { level: levelAt(age), ageSeconds: age }
  }
  return {
    revocations: {
      isRevoked: (principal) => view.isRevoked(principal),
      onChange: (call) => view.onChange(call),
      freshness,
      onFreshness(call) {
        const own = (level: FreshnessLevel): void => call(level)
        listeners.add(own)
        return () => void listeners.delete(own)
      },
    },
    look() {
      const { level } = freshness()
      if (level === last) return
      last = level
      for (const call of listeners) call(level)
    },
  }
}
