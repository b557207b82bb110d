import { randomUUID } from 'node:crypto'
import type { Clock } from '@countersign/tokens'
import { ProbeStopped } from './failure.ts'
import type { ProbeResult, Trigger } from './result.ts'
import type { Run } from './run-probe.ts'

export interface MonitorOptions {
  readonly probe: (run: Run) => Promise<ProbeResult>
  readonly clock: Clock
  /** Between the end of a probe and the next, give or take a tenth. @default only on demand */
  readonly intervalMs?: number
  /** How many results are kept. @default 100 */
  readonly keep?: number
  /** From 0 up to 1. @default Math.random */
  readonly random?: () => number
  readonly onResult?: (result: ProbeResult) => void
}

export interface Started {
  readonly id: string
  /** @throws ProbeStopped when the monitor ends before */
  readonly done: Promise<ProbeResult>
}

/** Probes on a schedule and on demand, never two at once, and remembers what came of the last ones. */
export interface Monitor {
  /** Begins a probe, or joins the one that runs. @throws ProbeStopped once it is closed */
  start(trigger: Trigger): Started
  /** The newest first. */
  readonly results: readonly ProbeResult[]
  readonly running: string | undefined
  /** Ends the probe under way, without a result. */
  close(): Promise<void>
}

/** The first probe does not wait for a whole interval, nor do many monitors begin at once. */
const firstAfter = 0.1

export function createMonitor(options: MonitorOptions): Monitor {
  const { probe, clock, intervalMs, keep = 100, random = Math.random, onResult } = options
  const closing = new AbortController()
  const { signal } = closing
  const results: ProbeResult[] = []
  let running: Started | undefined
  let cancelTimer = (): void => undefined

  const schedule = (share: number): void => {
    cancelTimer()
    if (intervalMs === undefined || signal.aborted) return
    // A failure is in the result, and who ends the monitor knows.
    cancelTimer = clock.after(intervalMs * share, () => void start('schedule').done.catch(() => undefined))
  }
  const run = async (id: string, trigger: Trigger): Promise<ProbeResult> => {
    try {
      const result = await probe({ id, trigger, signal })
      results.unshift(result)
      results.length = Math.min(results.length, keep)
      onResult?.(result)
      return result
    } finally {
      running = undefined
      schedule(0.9 + 0.2 * random())
    }
  }
  const start = (trigger: Trigger): Started => {
    if (signal.aborted) throw new ProbeStopped('the monitor is closed')
    if (running !== undefined) return running
    const id = randomUUID()
    const done = run(id, trigger)
    done.catch(() => undefined)
    running = { id, done }
    return running
  }
  schedule(firstAfter * random())

  return {
    start,
    results,
    get running() {
      return running?.id
    },
    async close() {
      closing.abort()
      cancelTimer()
      await running?.done.catch(() => undefined)
    },
  }
}
