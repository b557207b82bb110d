import type { Logger, Metrics } from '@countersign/observability'
import { failureReasons, phases, remedies } from './failure.ts'
import { type ProbeResult, surfaces } from './result.ts'

const phaseBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60]
const revocationBuckets = [0.025, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 2.5, 5, 10, 60]

/** Counts results and writes them to the log; what is let in and must not be is an error there, other failures warn. */
export function observeProbes(
  { own }: Pick<Metrics, 'own'>,
  logger: Logger,
): (result: ProbeResult, leftovers: number) => void {
  const success = own.gauge({ name: 'probe_success', help: 'Whether the last probe succeeded; 0 before the first.' })
  const lastRun = own.gauge({ name: 'probe_last_run_timestamp_seconds', help: 'When a probe last ended; 0: none has.' })
  const lastSuccess = own.gauge({
    name: 'probe_last_success_timestamp_seconds',
    help: 'When a probe last succeeded; 0: not since the start.',
  })
  const left = own.gauge({ name: 'probe_sessions_left', help: 'Sessions of probes that could not be ended yet.' })
  const runs = own.counter({
    name: 'probe_runs_total',
    help: 'Probes that ended.',
    labels: { result: ['ok', 'failed'] },
  })
  const failures = own.counter({
    name: 'probe_failures_total',
    help: 'Probes that failed, by the phase and the reason; "accepted" is a breach of security.',
    labels: { phase: phases, reason: failureReasons },
  })
  const duration = own.histogram({
    name: 'probe_duration_seconds',
    help: 'Time of a whole probe.',
    buckets: phaseBuckets,
  })
  const phaseDuration = own.histogram({
    name: 'probe_phase_duration_seconds',
    help: 'Time of each phase, failed or not.',
    labels: { phase: phases },
    buckets: phaseBuckets,
  })
  const revocation = own.histogram({
    name: 'probe_revocation_seconds',
    help: 'Time from the answer to a revocation to its effect.',
    labels: { surface: surfaces },
    buckets: revocationBuckets,
  })
  return (result, leftovers) => {
    const { ok, failure, startedAt, durationMs } = result
    const endedAt = startedAt + durationMs / 1000
    success.set({}, ok ? 1 : 0)
    lastRun.set({}, endedAt)
    if (ok) lastSuccess.set({}, endedAt)
    left.set({}, leftovers)
    runs.add({ result: ok ? 'ok' : 'failed' })
    if (failure !== undefined) failures.add({ phase: failure.phase, reason: failure.reason })
    duration.observe({}, durationMs / 1000)
    for (const { phase, ms } of result.phases) phaseDuration.observe({ phase }, ms / 1000)
    for (const surface of surfaces) {
      const ms = result.revocationMs[surface]
      if (ms !== undefined) revocation.observe({ surface }, ms / 1000)
    }
    const fields = { request_id: result.id, duration_ms: Math.round(durationMs) }
    if (failure === undefined) return logger.info('a probe succeeded', fields)
    const { phase, reason, message } = failure
    const level = reason === 'accepted' || reason === 'fault' ? 'error' : 'warn'
    logger[level]('a probe failed', { ...fields, component: phase, reason, outcome: message, remedy: remedies[reason] })
  }
}
