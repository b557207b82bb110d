import { settled } from './settled.ts'

/** A `Clock` of `@countersign/tokens`, by its shape: that package's own tests may use it, too. */
export interface TestClock {
  now(): number
  monotonicMs(): number
  after(ms: number, call: () => void): () => void
  /** Lets time pass on both halves, calling what falls due in order. */
  advance(seconds: number): void
  /** The same, and after each call waits until nothing that it set going is under way. */
  pass(seconds: number): Promise<void>
  /** Moves the wall clock alone, as when it is set or the machine slept; timers notice nothing. */
  jump(seconds: number): void
  /** Moves both halves, as for a process that was stopped: what fell due is called when time next passes. */
  skip(seconds: number): void
  /** How many are set. */
  readonly timers: number
}

/** What all test clocks begin with, in Unix seconds. */
export const NOW = 1_800_000_000

interface Timer {
  readonly at: number
  readonly call: () => void
}

/**
 * A clock that stands still until it is moved.
 *
 * @param settle waits for what a timer set going. @default `settled`
 */
export function testClock(settle: () => Promise<void> = settled): TestClock {
  let wall = NOW
  let ms = 1_000
  let timers: readonly Timer[] = []
  const drop = (timer: Timer): void => {
    timers = timers.filter((one) => one !== timer)
  }
  const moveTo = (at: number): void => {
    wall += Math.max(0, at - ms) / 1000
    ms = Math.max(ms, at)
  }
  /** Moves on to the next timer that is due by then, which is set no more. */
  const nextBy = (end: number): Timer | undefined => {
    const [first] = timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)
    if (first === undefined) return undefined
    drop(first)
    moveTo(first.at)
    return first
  }
  return {
    now: () => wall,
    monotonicMs: () => ms,
    after(delayMs, call) {
      const timer = { at: ms + delayMs, call }
      timers = [...timers, timer]
      return () => drop(timer)
    },
    advance(seconds) {
      const end = ms + seconds * 1000
      for (let timer = nextBy(end); timer !== undefined; timer = nextBy(end)) timer.call()
      moveTo(end)
    },
    async pass(seconds) {
      const end = ms + seconds * 1000
      for (let timer = nextBy(end); timer !== undefined; timer = nextBy(end)) {
        timer.call()
        await settle()
      }
      moveTo(end)
    },
    jump(seconds) {
      wall += seconds
    },
    skip(seconds) {
      wall += seconds
      ms += seconds * 1000
    },
    get timers() {
      return timers.length
    },
  }
}
