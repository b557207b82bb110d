import type { Clock } from '@countersign/tokens'
import type { KeyRecord, KeyRingDocument } from './document.ts'
import { enteredAt } from './transitions.ts'

/**
 * How long each key has been in its state. Counted by the monotonic clock from when this process first saw it there; what
 * had passed before comes from the stored instants. So a wall clock that steps, either way, moves no window that is open.
 */
export interface Sightings {
  /**
   * @param now the store's own clock, or the least that the wall clock may mean
   * @param previouslyMs monotonic instant of the last reading before this one, if there was one
   */
  observe(document: KeyRingDocument, now: number, previouslyMs: number | undefined): void
  /** Seconds since the key came into its state. */
  elapsed(key: KeyRecord): number
}

interface Sighting {
  readonly atMs: number
  readonly before: number
}

export function createSightings(clock: Clock): Sightings {
  let seen = new Map<string, Sighting>()
  const nameOf = ({ kid, state }: KeyRecord): string => `${state} ${kid}`
  return {
    observe(document, now, previouslyMs) {
      const atMs = clock.monotonicMs()
      const next = new Map<string, Sighting>()
      for (const key of document.keys) {
        const name = nameOf(key)
        const known = seen.get(name)
        if (known !== undefined) {
          next.set(name, known)
          continue
        }
        // By this clock alone: that a newer instant is stored proves nothing, since a clock that ran ahead may have stored it.
        const stored = Math.max(0, now - enteredAt(key))
        // It was not so at the last reading: it cannot have been so for longer than that, if the writer's clock is slow.
        const most = previouslyMs === undefined ? Number.POSITIVE_INFINITY : Math.max(0, atMs - previouslyMs) / 1000
        next.set(name, { atMs, before: Math.min(stored, most) })
      }
      seen = next
    },
    elapsed(key) {
      const sighting = seen.get(nameOf(key))
      return sighting === undefined ? 0 : sighting.before + (clock.monotonicMs() - sighting.atMs) / 1000
    },
  }
}
