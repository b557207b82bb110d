import type { Clock } from '@countersign/tokens'

export interface TestClock extends Clock {
  /** Lets time pass on both halves, calling what falls due in order. */
  pass(seconds: number): Promise<void>
  /** Moves the wall clock alone, as when it is set or the machine slept. */
  step(seconds: number): void
  readonly timers: number
}

export function testClock(): TestClock {
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
        await settled()
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

const unanswered = new Set<Promise<unknown>>()
const real = globalThis.fetch
globalThis.fetch = async (...asked) => {
  const response = real(...asked)
  const whole = response.then((one) => one.clone().arrayBuffer()).catch(() => undefined)
  unanswered.add(whole)
  void whole.then(() => unanswered.delete(whole))
  return await response
}

/** Once no request of this process is on its way, and what its answer brings about has had its turn. */
export async function settled(): Promise<void> {
  for (let quiet = 0; quiet < 5; quiet += 1) {
    await new Promise((resolve) => setTimeout(resolve, 4))
    if (unanswered.size > 0) quiet = -1
    await Promise.all(unanswered)
  }
}
