import type { Context } from './context.ts'

const everyMs = 60_000
const rowsPerCall = 1_000
const callsPerRound = 10
const assertionCalls = 200
/** What has ended is kept this long: an incident of the night before can still be looked into. */
const keptSeconds = 86_400

/** Removes ended rows in the background, from the first minute on. The result stops it. */
export function startPruning(context: Context): () => Promise<void> {
  let stopped = false
  let round: Promise<void> = Promise.resolve()
  let cancel = context.clock.after(everyMs, tick)

  function tick(): void {
    round = prune().then(() => {
      if (!stopped) cancel = context.clock.after(everyMs, tick)
    })
  }

  async function prune(): Promise<void> {
    try {
      for (let call = 0; call < callsPerRound && !stopped; call += 1) {
        const rows = await context.stores.prune(context.now() - keptSeconds, rowsPerCall)
        if (rows > 0) context.emit({ type: 'pruned', rows })
        if (rows < rowsPerCall) break
      }
      // A busy client has many: each request needs one.
      for (let call = 0; call < assertionCalls && !stopped; call += 1) {
        if ((await context.stores.assertions.forget(context.now(), rowsPerCall)) < rowsPerCall) return
      }
    } catch (error) {
      context.emit({ type: 'fault', part: 'prune', error })
    }
  }

  return () => {
    stopped = true
    cancel()
    return round
  }
}
