import { type ConsumerStartOptions, type RunningConsumer, startConsumer } from '@countersign-apps/kit'
import { createAnalytics } from './create-analytics.ts'
import { openReportStore } from './report-store.ts'
import { consumer } from './scopes.ts'

export interface AnalyticsOptions extends ConsumerStartOptions {
  /** The reports' SQLite database, which `analytics-etl` fills. */
  readonly database: string
}

/** Starts the analytics service; its usual port is 4611. */
export function startAnalytics(options: AnalyticsOptions): Promise<RunningConsumer> {
  return startConsumer(options, {
    consumer,
    usualPort: 4611,
    make({ guard, onFault, onClose }) {
      const store = openReportStore(options.database)
      onClose(store)
      return createAnalytics({ guard, store, onFault }).app
    },
  })
}
