/** Where the time comes from: an argument, so that tests need no sleeps. The `Clock` of `@countersign/tokens` is one. */
export interface StorageClock {
  /** Seconds since the Unix epoch. */
  now(): number
  /** Milliseconds from a fixed point; never steps back. */
  monotonicMs(): number
  /** Calls back once after `ms`; the returned function cancels. Does not keep a process alive. */
  after(ms: number, call: () => void): () => void
}

/** The machine's own clock. */
export const machineClock: StorageClock = {
  now: () => Date.now() / 1000,
  monotonicMs: () => performance.now(),
  after(ms, call) {
    const timer = setTimeout(call, ms)
    timer.unref()
    return () => clearTimeout(timer)
  },
}
