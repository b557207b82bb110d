import type { Clock } from '@countersign/tokens'

/** Vault's clock, learnt from its answers' `Date` headers, which have whole seconds. */
export interface ServerClock {
  observe(dateSeconds: number, sentMs: number): void
  /** Unix seconds; `undefined` before the first answer or when that was longer ago than `maxAgeMs`. */
  now(maxAgeMs: number): number | undefined
}

/**
 * Each answer says: when it was made, between sending and now, the server's clock was in [date, date + 1). What all of them
 * have in common is narrower than a second. When an answer contradicts, the server's clock was set, or another server
 * answers: then it alone counts.
 */
export function createServerClock(clock: Clock): ServerClock {
  let least = Number.NEGATIVE_INFINITY
  let most = Number.POSITIVE_INFINITY
  let observedMs = Number.NEGATIVE_INFINITY
  return {
    observe(dateSeconds, sentMs) {
      const nowMs = clock.monotonicMs()
      const from = dateSeconds - nowMs / 1000
      const to = dateSeconds + 1 - sentMs / 1000
      const agrees = from <= most && to >= least
      least = agrees ? Math.max(least, from) : from
      most = agrees ? Math.min(most, to) : to
      observedMs = nowMs
    },
    now(maxAgeMs) {
      const nowMs = clock.monotonicMs()
      if (nowMs - observedMs > maxAgeMs) return undefined
      return (least + most) / 2 + nowMs / 1000
    },
  }
}
