import type { Clock } from '@countersign/tokens'

/** @throws the signal's reason */
export function pause(clock: Clock, seconds: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted()
  return new Promise((resolve, reject) => {
    const end = (): void => {
      cancel()
      clearInterval(alive)
      signal?.removeEventListener('abort', onAbort)
    }
    const onAbort = (): void => {
      end()
      reject(signal?.reason)
    }
    const cancel = clock.after(seconds * 1000, () => {
      end()
      resolve()
    })
    // A clock's timers keep no process alive; whoever waits here does.
    const alive = setInterval(() => {}, 2 ** 30)
    signal?.addEventListener('abort', onAbort)
  })
}
