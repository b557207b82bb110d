/** Where a component gets its time from: an argument, so that tests need no sleeps. */
export interface Clock {
  /** Seconds since the Unix epoch, with a fraction. */
  now(): number
  /** Milliseconds from a fixed point; never steps back. */
  monotonicMs(): number
  /** Calls back once after `ms`; the returned function cancels. Does not keep a process alive. */
  after(ms: number, call: () => void): () => void
}

/** `setTimeout` fires at once past 2^31 − 1 ms, so longer waits are taken in turns. */
const longestTimerMs = 2_147_483_647

function after(ms: number, call: () => void): () => void {
  let timer: ReturnType<typeof setTimeout>
  const arm = (leftMs: number): void => {
    const turnMs = Math.min(Math.max(0, leftMs), longestTimerMs)
    timer = setTimeout(() => (leftMs > turnMs ? arm(leftMs - turnMs) : call()), turnMs)
    // Node's timers hold a process open unless told otherwise; a browser's are numbers.
    const handle: unknown = timer
    if (typeof handle === 'object' && handle !== null && 'unref' in handle && typeof handle.unref === 'function') {
      handle.unref()
    }
  }
  arm(ms)
  return () => clearTimeout(timer)
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now() / 1000,
  monotonicMs: () => performance.now(),
  after,
}
