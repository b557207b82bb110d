import type { Clock } from '@countersign/tokens'

/** The longest that a timer of Node can be set. */
const neverMs = 2_147_483_647

/** Waits in the midst of a request: unlike a timer of the clock alone, it keeps a process alive that has nothing else to do. */
export async function wait(clock: Clock, ms: number): Promise<void> {
  const hold = setInterval(() => {}, neverMs)
  try {
    await new Promise<void>((resolve) => clock.after(ms, resolve))
  } finally {
    clearInterval(hold)
  }
}

/** Settles as `work` does, or after `ms` as `late` says; the work goes on. */
export async function within<T>(clock: Clock, ms: number, work: Promise<T>, late: () => Error): Promise<T> {
  const hold = setInterval(() => {}, neverMs)
  let cancel = (): void => {}
  try {
    return await Promise.race([
      work,
      new Promise<never>((_resolve, reject) => {
        cancel = clock.after(ms, () => reject(late()))
      }),
    ])
  } finally {
    cancel()
    clearInterval(hold)
  }
}
