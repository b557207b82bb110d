import type { Clock } from '@countersign/tokens'

/** Resolves after `ms`; sooner with `event`, or when the signal ends all waiting. Leaves no timer behind. */
export function waitFor(ms: number, clock: Clock, signal: AbortSignal, event?: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const done = (): void => {
      cancel()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const cancel = clock.after(ms, done)
    signal.addEventListener('abort', done)
    void event?.then(done)
  })
}
