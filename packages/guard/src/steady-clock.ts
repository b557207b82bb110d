import type { Clock } from '@countersign/tokens'

/** A clock that stands still while it is held. */
export interface SteadyClock extends Clock {
  /** From now on each time is read once at most. */
  hold(): void
  release(): void
}

/**
 * The clock of whatever takes part in a decision. One that waits for nothing is made in one moment, and verifier and key
 * source each ask for it twice: four readings take as long as finding the token.
 */
export function steadyClock(clock: Clock): SteadyClock {
  let isHeld = false
  let now: number | undefined
  let monotonicMs: number | undefined
  return {
    now() {
      if (!isHeld) return clock.now()
      now ??= clock.now()
      return now
    },
    monotonicMs() {
      if (!isHeld) return clock.monotonicMs()
      monotonicMs ??= clock.monotonicMs()
      return monotonicMs
    },
    after: (ms, call) => clock.after(ms, call),
    hold() {
      isHeld = true
      now = undefined
      monotonicMs = undefined
    },
    release() {
      isHeld = false
    },
  }
}
