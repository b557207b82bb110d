import { type Clock, systemClock } from '@countersign/tokens'

/** The machine's clock, later by so many seconds. */
export function laterBy(seconds: number): Clock {
  return {
    now: () => systemClock.now() + seconds,
    monotonicMs: () => systemClock.monotonicMs() + seconds * 1000,
    after: systemClock.after,
  }
}
