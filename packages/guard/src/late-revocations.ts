import type { Freshness, FreshnessLevel, RevocationEntry } from '@countersign/revocation'
import type { Revocations } from './revocations.ts'

/** Revocation news of a source that is not known yet; until it is, nobody may rely on them. */
export interface LateRevocations extends Revocations {
  /** Says where they come from, once; `undefined` where there are none and never will be. */
  comeFrom(source: Revocations | undefined): void
}

/** What an issuer without a feed has to say. */
const silence: Revocations = { isRevoked: () => false, onChange: () => () => {} }
const always: Freshness = { level: 'fresh', ageSeconds: 0 }
const never: Freshness = { level: 'starting', ageSeconds: Number.POSITIVE_INFINITY }

export function createLateRevocations(): LateRevocations {
  const changes = new Set<(added?: readonly RevocationEntry[]) => void>()
  const levels = new Set<(level: FreshnessLevel) => void>()
  let source: Revocations | undefined
  return {
    comeFrom(found = silence) {
      source = found
      found.onChange((added) => {
        for (const call of changes) call(added)
      })
      found.onFreshness?.((level) => {
        for (const call of levels) call(level)
      })
    },
    isRevoked: (principal) => source?.isRevoked(principal) === true,
    freshness: () => (source === undefined ? never : (source.freshness?.() ?? always)),
    onChange(call) {
      changes.add(call)
      return () => changes.delete(call)
    },
    onFreshness(call) {
      levels.add(call)
      return () => levels.delete(call)
    },
  }
}
