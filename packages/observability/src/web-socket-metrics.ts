import type { Registry } from 'prom-client'
import { type Counter, counter, type Gauge, gauge, type Histogram, histogram } from './instruments.ts'
import { rejectionReasons } from './label-lists.ts'

/** What sockets are counted by; only where `createMetrics` was told of sockets. */
export interface WebSocketMetrics {
  /** `ws_sockets` */
  readonly sockets: Gauge<'state'>
  /** `ws_auth_total`: `reason` is `none` for `ok`. */
  readonly auth: Counter<'result' | 'reason'>
  /** `ws_auth_duration_seconds` */
  readonly authDuration: Histogram
  /** `ws_reauth_total` */
  readonly reauth: Counter<'result'>
  /** `ws_close_total` */
  readonly closes: Counter<'code'>
  /** `ws_upgrade_rejected_total` */
  readonly upgradesRejected: Counter<'reason'>
  /** `ws_evicted_total` */
  readonly evicted: Counter
  /** `ws_frames_dropped_total` */
  readonly framesDropped: Counter<'cause'>
}

export const socketStates: readonly string[] = ['pending', 'verifying', 'ready', 'draining']

/** RFC 6455's, and those of `wsauth.v1`; a test holds them to `@countersign/websocket`. */
export const closeCodes: readonly string[] = [
  ...['1000', '1001', '1002', '1003', '1005', '1006', '1007', '1008', '1009', '1011'],
  ...['4400', '4401', '4403', '4406', '4409', '4413', '4429'],
  ...['4430', '4431', '4432', '4433'],
  ...['4460', '4461', '4462', '4463', '4464', '4465'],
]

export const closeReasons: readonly string[] = [
  ...['malformed', 'invalid_token', 'forbidden', 'subprotocol', 'identity_mismatch', 'budget', 'second_auth'],
  ...['expired', 'revoked', 'proof_failed', 'session_age'],
  ...['auth_timeout', 'rate', 'slow_consumer', 'no_pong', 'connection_limit', 'unavailable'],
]

const results = ['ok', 'denied', 'error']
const authReasons = [
  ...rejectionReasons,
  ...[
    'verify_timeout',
    'auth_timeout',
    'connection_limit',
    'identity_mismatch',
    'not_later',
    'too_soon',
    'fault',
    'none',
  ],
]
const upgradeReasons = [
  ...['not_websocket', 'token_in_url', 'origin', 'host', 'pending_per_address', 'closing', 'unknown_path'],
]
const durationBuckets = [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25, 1, 2]

export function createWebSocketMetrics(registry: Registry, prefix: string): WebSocketMetrics {
  return {
    sockets: gauge(registry, {
      name: `${prefix}ws_sockets`,
      help: 'Sockets by state; pending and verifying are not authenticated.',
      labels: { state: socketStates },
    }),
    auth: counter(registry, {
      name: `${prefix}ws_auth_total`,
      help: 'First authentications of sockets, by what came of them.',
      labels: { result: results, reason: authReasons },
      fold: ({ result, reason }) => ({ result, reason: result === 'ok' ? 'none' : reason }),
    }),
    authDuration: histogram(registry, {
      name: `${prefix}ws_auth_duration_seconds`,
      help: 'Time from the message with the token to the decision.',
      labels: {},
      buckets: durationBuckets,
    }),
    reauth: counter(registry, {
      name: `${prefix}ws_reauth_total`,
      help: 'Further authentications of a socket, by what came of them.',
      labels: { result: results },
    }),
    closes: counter(registry, {
      name: `${prefix}ws_close_total`,
      help: 'Sockets that ended, by close code: ours where we closed first.',
      labels: { code: closeCodes },
    }),
    upgradesRejected: counter(registry, {
      name: `${prefix}ws_upgrade_rejected_total`,
      help: 'Upgrades that were answered by an HTTP error.',
      labels: { reason: upgradeReasons },
    }),
    evicted: counter(registry, {
      name: `${prefix}ws_evicted_total`,
      help: 'Unauthenticated sockets that made room for newer ones.',
      labels: {},
    }),
    framesDropped: counter(registry, {
      name: `${prefix}ws_frames_dropped_total`,
      help: 'Frames that came after the decision to close, by the reason of that.',
      labels: { cause: [...closeReasons, 'going_away'] },
    }),
  }
}
