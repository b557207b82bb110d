import type { Clock } from '@countersign/tokens'
import { NOW } from './feed.ts'

/** A clock that stands still until it is moved; timers run in order of their time. */
export interface TestClock extends Clock {
  /** Moves both clocks, and runs what is due. */
  advance(seconds: number): void
  /** A machine that slept, or a corrected clock: the wall clock jumps, timers notice nothing. */
  jump(seconds: number): void
  readonly timers: number
}

export function testClock(): TestClock {
  let wall = NOW
  let monotonicMs = 0
  let timers: { at: number; call: () => void }[] = []
  return {
    now: () => wall,
    monotonicMs: () => monotonicMs,
    after(ms, call) {
      const timer = { at: monotonicMs + ms, call }
      timers.push(timer)
      return () => {
        timers = timers.filter((other) => other !== timer)
      }
    },
    advance(seconds) {
      const end = monotonicMs + seconds * 1000
      for (;;) {
        const next = timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0]
        if (next === undefined) break
        timers = timers.filter((other) => other !== next)
        wall += (next.at - monotonicMs) / 1000
        monotonicMs = next.at
        next.call()
      }
      wall += (end - monotonicMs) / 1000
      monotonicMs = end
    },
    jump(seconds) {
      wall += seconds
    },
    get timers() {
      return timers.length
    },
  }
}
