import type { Clock } from '@countersign/tokens'

/** A clock that stands still until told otherwise; its wall and monotonic halves move apart on demand. */
export interface FakeClock extends Clock {
  /** Lets time pass, calling what falls due in order; each call's work is waited for. */
  advance(seconds: number): Promise<void>
  /** Lets time pass at once, as for a process that was stopped; then calls what has fallen due. */
  jump(seconds: number): Promise<void>
  /** Moves the wall clock alone. */
  step(seconds: number): void
}

export function createFakeClock(startSeconds = 1_800_000_000): FakeClock {
  let wall = startSeconds
  let ms = 5_000
  let timers: { readonly at: number; readonly call: () => void }[] = []
  function moveTo(at: number): void {
    wall += (at - ms) / 1000
    ms = at
  }
  /** A scheduler sets its next timer when its look is over: then there are as many timers as before. */
  async function fire(timer: (typeof timers)[number]): Promise<void> {
    const armed = timers.length
    timers = timers.filter((one) => one !== timer)
    timer.call()
    const deadline = performance.now() + 20_000
    while (timers.length < armed && performance.now() < deadline) await new Promise((resolve) => setImmediate(resolve))
  }
  async function run(end: number): Promise<void> {
    for (;;) {
      const due = timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
      if (due === undefined) return
      moveTo(Math.max(ms, due.at))
      await fire(due)
    }
  }
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
    async advance(seconds) {
      const end = ms + seconds * 1000
      await run(end)
      moveTo(end)
    },
    async jump(seconds) {
      moveTo(ms + seconds * 1000)
      await run(ms)
    },
    step(seconds) {
      wall += seconds
    },
  }
}
