import { systemClock } from '@countersign/tokens'
import { type ConsumerStartOptions, type RunningConsumer, startConsumer } from '@countersign-apps/kit'
import { createRoutes } from './create-routes.ts'
import { createMonitor, type Monitor } from './monitor.ts'
import { observeProbes } from './observe-probes.ts'
import { createProber, type ProberOptions } from './prober.ts'
import type { ProbeResult } from './result.ts'
import { consumer } from './scopes.ts'

export interface SyntheticMonitorOptions extends ConsumerStartOptions, Omit<ProberOptions, 'issuer' | 'jwks'> {
  /** Seconds from one probe to the next, give or take a tenth: 5 to 86,400. @default only on demand */
  readonly intervalSeconds?: number
}

export interface RunningMonitor extends RunningConsumer {
  /** Makes a probe now, or joins the one that runs. */
  probe(): Promise<ProbeResult>
}

/** Starts the synthetic monitor; its usual port is 4614. */
export async function startMonitor(options: SyntheticMonitorOptions): Promise<RunningMonitor> {
  const { clock = systemClock, intervalSeconds } = options
  if (intervalSeconds !== undefined && !(intervalSeconds >= 5 && intervalSeconds <= 86_400)) {
    throw new RangeError('intervalSeconds: expected 5 to 86,400')
  }
  const started = Promise.withResolvers<Monitor>()
  const acknowledgeAs = options.acknowledgeAs ?? options.accounts.client
  const running = await startConsumer(
    { ...options, acknowledgeAs },
    {
      consumer,
      usualPort: 4614,
      make({ guard, logger, metrics, onFault, onClose }) {
        const observe = observeProbes(metrics, logger)
        const prober = createProber(options)
        onClose(prober)
        const monitor = createMonitor({
          probe: (run) => prober.probe({ ...run, onFault: (error) => logger.error('a probe threw', { error }) }),
          clock,
          ...(intervalSeconds === undefined ? {} : { intervalMs: intervalSeconds * 1000 }),
          onResult: (result) => observe(result, prober.leftovers),
        })
        onClose(monitor)
        started.resolve(monitor)
        return createRoutes({ guard, monitor, onFault }).app
      },
    },
  )
  const monitor = await started.promise
  return { ...running, probe: () => monitor.start('request').done }
}
