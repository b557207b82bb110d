import type { FreshnessLevel } from '@countersign/revocation'
import type { Revocations } from './revocations.ts'

/**
 * What a route does when revocation news are late. By default it refuses sensitive scopes past 30 s and everything past
 * 60 s. `token-life` accepts a token until it ends, whatever its age: the one exception to the 60 s, though not before
 * the first news. `introspect` then asks the issuer about the very token.
 */
export type Availability = 'token-life' | 'introspect'

export interface Staleness {
  /** True when, for these scopes, the news are too old to rely on. */
  isLate(scopes: readonly string[], availability?: Availability): boolean
  /** True when a connection must not go on. */
  isOver(availability?: Availability): boolean
}

export function createStaleness(revocations: Revocations | undefined, sensitive: ReadonlySet<string>): Staleness {
  const level = (): FreshnessLevel => revocations?.freshness?.().level ?? 'fresh'
  const isOver = (now: FreshnessLevel, availability: Availability | undefined): boolean =>
    // Who has never heard anything has nothing to go on with.
    now === 'starting' || (now === 'stale' && availability !== 'token-life')
  return {
    isLate(scopes, availability) {
      const now = level()
      return (
        isOver(now, availability) ||
        (now === 'late' && availability !== 'token-life' && scopes.some((scope) => sensitive.has(scope)))
      )
    },
    isOver: (availability) => isOver(level(), availability),
  }
}

/** The scopes that a consumer's entry marks so. */
export function markedScopes(
  scopes: Readonly<Record<string, unknown>> | undefined,
  mark: 'sensitive' | 'sideEffects',
): ReadonlySet<string> {
  const marked = Object.entries(scopes ?? {}).filter(
    ([, properties]) => typeof properties === 'object' && properties !== null && Reflect.get(properties, mark) === true,
  )
  return new Set(marked.map(([scope]) => scope))
}
