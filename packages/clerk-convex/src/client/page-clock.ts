import type { Clock } from '@countersign/tokens'

/** `setTimeout` fires at once past that; 24 days are long enough to ask again. */
const longestTimerMs = 2_147_483_647

/** The page's own clock: that of `tokens` would bring its verifier into the page. */
export const pageClock: Clock = {
  now: () => Date.now() / 1_000,
  monotonicMs: () => performance.now(),
  after(ms, call) {
    const timer: unknown = setTimeout(call, Math.min(Math.max(0, ms), longestTimerMs))
    // Node's timers hold a process open unless told otherwise; a browser's are numbers.
    if (typeof timer === 'object' && timer !== null && 'unref' in timer && typeof timer.unref === 'function') {
      timer.unref()
    }
    return () => clearTimeout(timer as Parameters<typeof clearTimeout>[0])
  },
}
