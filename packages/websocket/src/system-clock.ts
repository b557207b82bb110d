import type { Clock } from '@countersign/tokens'

const longestTimerMs = 2_147_483_647

/** The machine's own clock; `tokens` has the same one, which a browser's bundle is spared. */
export const systemClock: Clock = makeClock((timer) => {
  if (typeof timer === 'object' && timer !== null && 'unref' in timer && typeof timer.unref === 'function')
    timer.unref()
})

/** The same for a client: a process that waits to connect again is not done. */
export const wakefulClock: Clock = makeClock(() => {})

function makeClock(onTimer: (timer: unknown) => void): Clock {
  return {
    now: () => Date.now() / 1000,
    monotonicMs: () => performance.now(),
    after(ms, call) {
      // Past 2^31 − 1 ms a timer fires at once, so that longer waits are taken in turns.
      let timer: ReturnType<typeof setTimeout>
      const arm = (leftMs: number): void => {
        const turnMs = Math.min(Math.max(0, leftMs), longestTimerMs)
        timer = setTimeout(() => (leftMs > turnMs ? arm(leftMs - turnMs) : call()), turnMs)
        onTimer(timer)
      }
      arm(ms)
      return () => clearTimeout(timer)
    },
  }
}
