import type { Clock } from '@countersign/tokens'
import { ProbeFailure, ProbeStopped } from './failure.ts'

export interface Limits {
  readonly clock: Clock
  readonly ms: number
  /** Ends the wait before its time. */
  readonly stop?: AbortSignal
  /** What it means that the time is over. @default a `timeout` */
  readonly late?: () => Error
}

/** Does the work, for so long and no longer; its signal aborts when nobody waits for it any more. */
export async function within<T>(limits: Limits, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { clock, ms, stop, late = () => new ProbeFailure('timeout', `there was no answer within ${ms} ms`) } = limits
  const abort = new AbortController()
  const over = Promise.withResolvers<never>()
  const stopped = (): void => over.reject(new ProbeStopped('the probe was stopped'))
  const cancel = clock.after(ms, () => over.reject(late()))
  stop?.addEventListener('abort', stopped, { once: true })
  if (stop?.aborted === true) stopped()
  try {
    return await Promise.race([over.promise, work(abort.signal)])
  } finally {
    cancel()
    stop?.removeEventListener('abort', stopped)
    abort.abort()
  }
}

/** Resolves after `ms`, or when the signal aborts. */
export function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(ms, resolve)
    signal.addEventListener('abort', () => {
      cancel()
      resolve()
    })
  })
}
