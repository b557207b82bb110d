import type { Logger } from './logger.ts'
import type { Metrics } from './metrics.ts'

/** Where events go to. Without a logger they are only counted, without metrics only logged. */
export interface Observers {
  readonly metrics?: Metrics
  readonly logger?: Logger
  /** For the instants that events do not carry. @default the machine's clock */
  readonly clock?: { now(): number }
}

/** A reporter must never fail what it reports on: whatever goes wrong while reporting stays here. */
export function quietly<Event>(report: (event: Event) => void): (event: Event) => void {
  return (event) => {
    try {
      report(event)
    } catch {
      // Nowhere to say it: the log or the metrics are what failed.
    }
  }
}
