import process from 'node:process'
import { collectDefaultMetrics, Gauge as PromGauge, Registry } from 'prom-client'
import {
  type Counter,
  counter,
  type Gauge,
  gauge,
  type Histogram,
  histogram,
  type Instruments,
  type LabelLists,
  other,
  ownInstruments,
} from './instruments.ts'
import { createKeyMetrics, type KeyMetrics } from './key-metrics.ts'
import {
  errorReasons,
  grants,
  rejectionReasons,
  results,
  tokenServiceRoutes,
  verifiedAlgorithms,
} from './label-lists.ts'
import { ObservabilityError } from './observability-error.ts'
import { createWebSocketMetrics, type WebSocketMetrics } from './web-socket-metrics.ts'

/** Renders everything that is counted, in Prometheus' text format. */
export interface MetricsRegistry {
  readonly contentType: string
  metrics(): Promise<string>
}

/** Every metric, each with labels from closed lists only. Names in Prometheus: the prefix and the name in each comment. */
export interface Metrics {
  readonly registry: MetricsRegistry
  /** `token_issued_total` */
  readonly tokensIssued: Counter<'grant' | 'result'>
  /** `token_verifications_total`: `reason` is `none` for `ok`; only `error` is a fault of ours. */
  readonly verifications: Counter<'surface' | 'result' | 'reason' | 'alg'>
  /** `token_verify_duration_seconds` */
  readonly verifyDuration: Histogram<'surface'>
  /** `refresh_reuse_detected_total` */
  readonly refreshReuse: Counter
  /** `signing_key_info`, `signing_key_{activated,retire_after,not_after}_timestamp_seconds` */
  readonly keys: KeyMetrics
  /** `key_rotations_total` */
  readonly rotations: Counter<'result'>
  /** `key_rotation_last_success_timestamp_seconds` */
  readonly rotationLastSuccess: Gauge
  /** `jwks_last_success_timestamp_seconds` */
  readonly jwksLastSuccess: Gauge
  /** `jwks_fetch_total` */
  readonly jwksFetches: Counter<'result'>
  /** `jwks_unknown_kid_refetch_total` */
  readonly unknownKidRefetches: Counter<'outcome'>
  /** `revocations_total` */
  readonly revocations: Counter<'target'>
  /** `revocation_feed_last_event_timestamp_seconds` */
  readonly revocationFeedLastEvent: Gauge
  /** `revocation_entries` */
  readonly revocationEntries: Gauge
  /** `revocation_drift_ratio` */
  readonly revocationDrift: Gauge
  /** `revocation_latency_seconds` */
  readonly revocationLatency: Histogram<never>
  /** `audit_events_total` */
  readonly auditEvents: Counter<'outcome'>
  /** `audit_write_failures_total` */
  readonly auditWriteFailures: Counter<'sink'>
  /** `rate_limited_total` */
  readonly rateLimited: Counter<'limit'>
  /** `http_request_duration_seconds`: `route` is a template of the list given, `status` a class such as `4xx`. */
  readonly httpDuration: Histogram<'method' | 'route' | 'status'>
  /** `ws_…`; absent without the option `webSockets`. */
  readonly webSockets?: WebSocketMetrics
  /** Makes more of them, for what an application counts of its own. */
  readonly own: Instruments
}

export interface MetricsOptions {
  /** @default 'countersign_' */
  readonly prefix?: string
  /** Surfaces that verify tokens here, at most 8. @default ['http'] */
  readonly surfaces?: readonly string[]
  /** Routes as `METHOD /template`, at most 64; others count as `other`. @default the token service's own */
  readonly routes?: readonly string[]
  /** Whether this process serves WebSockets: one that does not has no series of them. @default false */
  readonly webSockets?: boolean
  /** Shown by `build_info`. @default 'unknown' */
  readonly version?: string
  /** `process_*` and `nodejs_*`, event-loop lag among them; they cannot be taken back before the process ends. @default true */
  readonly process?: boolean
}

const statusClasses: readonly string[] = ['2xx', '3xx', '4xx', '5xx']
const verifyBuckets = [0.000_01, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25, 1]
const latencyBuckets = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 2.5, 5, 10, 60]
const httpBuckets = [0.001, 0.005, 0.025, 0.1, 0.25, 1, 5]

function checkNames(what: string, names: readonly string[], shape: RegExp, most: number): readonly string[] {
  if (names.length > most)
    throw new ObservabilityError('invalid_options', `${what}: at most ${most}, found ${names.length}`)
  for (const name of names) {
    if (!shape.test(name)) throw new ObservabilityError('invalid_options', `${what}: "${name}" does not match ${shape}`)
  }
  return names
}

/** `ok` has no reason; an error has one of its own; a refusal has one of the list. */
function foldVerification(
  labels: Readonly<Record<'surface' | 'result' | 'reason' | 'alg', string>>,
): Readonly<Record<'surface' | 'result' | 'reason' | 'alg', string>> {
  const { result, reason } = labels
  if (result === 'ok') return { ...labels, reason: 'none' }
  if (result === 'denied') return reason === 'none' || reason === 'fault' ? { ...labels, reason: other } : labels
  // Whose token it was does not matter to a fault of ours, and a result outside its list is a fault.
  return { ...labels, result: 'error', reason: errorReasons.includes(reason) ? reason : 'fault', alg: 'unknown' }
}

/**
 * Metrics in a registry of their own (prom-client's global one stays untouched). Labels come from closed lists: a value
 * outside counts as `other`, so that nothing a caller sends can add a series. Every series of the lists is there from the
 * start at 0; a timestamp of 0 means "never".
 *
 * @throws ObservabilityError `invalid_options`
 */
export function createMetrics(options: MetricsOptions = {}): Metrics {
  const [prefix = ''] = checkNames('prefix', [options.prefix ?? 'countersign_'], /^(?:[a-z][a-z0-9_]{0,31}_)?$/, 1)
  const surfaces = checkNames('surfaces', options.surfaces ?? ['http'], /^[a-z][a-z0-9_-]{0,31}$/, 8)
  const routes = checkNames('routes', options.routes ?? tokenServiceRoutes, /^[A-Z]{3,7} \/[\w./:{}*-]{0,127}$/, 64)
  const registry = new Registry()
  const count = <Name extends string>(name: string, help: string, labels: LabelLists<Name>): Counter<Name> =>
    counter(registry, { name: prefix + name, help, labels })
  const measure = (name: string, help: string): Gauge => gauge(registry, { name: prefix + name, help, labels: {} })

  const [version = ''] = checkNames('version', [options.version ?? 'unknown'], /^[\w.+-]{1,64}$/, 1)
  const build = new PromGauge({
    name: `${prefix}build_info`,
    help: 'Always 1; the labels say what is running.',
    labelNames: ['version', 'node'],
    registers: [registry],
  })
  build.set({ version, node: process.versions.node }, 1)
  if (options.process !== false) collectDefaultMetrics({ register: registry })

  return {
    registry,
    tokensIssued: count('token_issued_total', 'Access tokens asked for, by what came of it.', {
      grant: grants,
      result: results,
    }),
    verifications: counter(registry, {
      name: `${prefix}token_verifications_total`,
      help: 'Tokens presented: ok, denied (the token is not good), error (it could not be decided).',
      labels: {
        surface: surfaces,
        result: results,
        reason: [...rejectionReasons, 'none', 'fault'],
        alg: verifiedAlgorithms,
      },
      fold: foldVerification,
    }),
    verifyDuration: histogram(registry, {
      name: `${prefix}token_verify_duration_seconds`,
      help: 'Time that a decision on a token took.',
      labels: { surface: surfaces },
      buckets: verifyBuckets,
    }),
    refreshReuse: count('refresh_reuse_detected_total', 'Spent refresh tokens that came again.', {}),
    keys: createKeyMetrics(registry, prefix),
    rotations: count('key_rotations_total', 'Activations of a new signing key, by result.', {
      result: ['ok', 'error'],
    }),
    rotationLastSuccess: measure(
      'key_rotation_last_success_timestamp_seconds',
      'When a new signing key was last activated; 0: not since the start.',
    ),
    jwksLastSuccess: measure(
      'jwks_last_success_timestamp_seconds',
      'When a JWKS was last read; 0: not since the start.',
    ),
    jwksFetches: count('jwks_fetch_total', 'Fetches of a JWKS.', { result: ['ok', 'error'] }),
    unknownKidRefetches: count('jwks_unknown_kid_refetch_total', 'What a token with an unknown kid led to.', {
      outcome: ['found', 'absent', 'limited', 'failed'],
    }),
    revocations: count('revocations_total', 'What was revoked.', {
      target: ['token', 'session', 'user', 'client', 'key'],
    }),
    revocationFeedLastEvent: measure(
      'revocation_feed_last_event_timestamp_seconds',
      'When the revocation feed last went on; 0: not since the start.',
    ),
    revocationEntries: measure('revocation_entries', 'Revocations in force.'),
    revocationDrift: measure(
      'revocation_drift_ratio',
      'Revocations that were missing or surplus at the last comparison, to those in force; counted before the repair.',
    ),
    revocationLatency: histogram(registry, {
      name: `${prefix}revocation_latency_seconds`,
      help: 'Time from a revocation of the canary to its effect here.',
      labels: {},
      buckets: latencyBuckets,
    }),
    auditEvents: count('audit_events_total', 'Records written to the audit log.', { outcome: ['allowed', 'denied'] }),
    auditWriteFailures: count('audit_write_failures_total', 'Records that could not be written.', { sink: ['file'] }),
    rateLimited: count('rate_limited_total', 'Attempts that were not looked at.', {
      limit: ['account', 'address', 'client', 'hashes'],
    }),
    httpDuration: histogram(registry, {
      name: `${prefix}http_request_duration_seconds`,
      help: 'Time from a request to the end of its answer.',
      labels: {
        method: [...new Set(routes.map((route) => route.slice(0, route.indexOf(' '))))],
        route: [...new Set(routes.map((route) => route.slice(route.indexOf(' ') + 1)))],
        status: statusClasses,
      },
      fold: ({ method, route, status }) => {
        const known = routes.includes(`${method} ${route}`)
        return { method: known ? method : other, route: known ? route : other, status }
      },
      buckets: httpBuckets,
    }),
    ...(options.webSockets === true ? { webSockets: createWebSocketMetrics(registry, prefix) } : {}),
    own: ownInstruments(registry, prefix),
  }
}
