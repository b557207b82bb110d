import type { Clock } from '@countersign/tokens'

export interface TestClock extends Clock {
  /** Lets time pass on both halves, calling what falls due in order. */
  pass(seconds: number): Promise<void>
  /** Moves the wall clock alone, as when it is set or the machine slept. */
  step(seconds: number): void
  readonly timers: number
}

/** @param settle waits for what a timer set going */
export function testClock(settle: () => Promise<void> = settled): TestClock {
  let wall = 1_800_000_000
  let ms = 1_000
  let timers: { readonly at: number; readonly call: () => void }[] = []
  return {
    now: () => wall,
    monotonicMs: () => ms,
    after(delayMs, call) {
      const timer = { at: ms + delayMs, call }
      timers.push(timer)
      return () => {
        timers = timers.filter((one) => one !== timer)
      }
    },
    async pass(seconds) {
      const end = ms + seconds * 1000
      for (;;) {
        const due = timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
        if (due === undefined) break
        timers = timers.filter((one) => one !== due)
        wall += (due.at - ms) / 1000
        ms = due.at
        due.call()
        await settle()
      }
      wall += (end - ms) / 1000
      ms = end
    },
    step(seconds) {
      wall += seconds
    },
    get timers() {
      return timers.length
    },
  }
}

/** Long enough for a request over loopback that is on its way. */
export const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20))
