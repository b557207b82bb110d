import { allowInsecureIssuer, type Clock, type KeySource, systemClock } from '@countersign/tokens'
import type { RemoteJwksOptions } from '@countersign/tokens/jwks'
import { RevocationError } from './errors.ts'
import type { FeedEvent } from './feed-events.ts'
import { type FreshnessPolicy, resolveFreshness } from './freshness.ts'
import type { GetToken } from './internal/acknowledger.ts'

export interface FollowLimits {
  /** Most entries, 1 to 50,000,000. @default 5_000_000 */
  readonly maxEntries?: number
  /** Most entries kept in a Map; more go into a typed table, 0 to 1,000,000. @default 100_000 */
  readonly mapEntries?: number
  /** Largest snapshot in bytes after decompression, 1 KiB to 1 GiB. @default 268_435_456 (256 MiB) */
  readonly maxSnapshotBytes?: number
  /** Largest delta or event of the stream in bytes, 1 KiB to 64 MiB. @default 8_388_608 (8 MiB) */
  readonly maxMessageBytes?: number
  /** For a delta, an acknowledgement, and until a stream begins: milliseconds, 100 to 10,000. @default 3_000 */
  readonly requestTimeoutMs?: number
  /** For a snapshot: milliseconds, 1,000 to 300,000. @default 30_000 */
  readonly snapshotTimeoutMs?: number
}

export interface FollowOptions {
  /** The consumer's audience, for acknowledgements. */
  readonly consumer: string
  /** Exactly as the issuer names itself. @default the feed's URL without `/revocations` */
  readonly issuer?: string
  /** The feed's own keys, never those of tokens. @default those at `jwks.json` below the feed's URL */
  readonly keys?: KeySource
  /** How those are read. */
  readonly jwks?: Omit<RemoteJwksOptions, 'clock'>
  /** Gets an access token of this consumer's own client; without it nothing is acknowledged. */
  readonly ack?: GetToken
  /** Where acknowledgements go. @default `/consumers/ack` beside the feed */
  readonly ackUrl?: string
  /** Tells processes of one consumer apart, 1 to 128 characters. @default a random one */
  readonly instance?: string
  readonly freshness?: FreshnessPolicy
  readonly limits?: FollowLimits
  /** Called as things happen; what it throws is dropped. */
  readonly onEvent?: (event: FeedEvent) => void
  readonly clock?: Clock
  readonly fetch?: typeof fetch
  /** From 0 up to 1, for the jitter of waits. @default Math.random */
  readonly random?: () => number
  readonly [allowInsecureIssuer]?: true
}

/** The options with their defaults, checked. */
export interface ResolvedFollowOptions {
  readonly url: URL
  readonly ackUrl: URL
  readonly issuer: string
  readonly instance: string
  readonly freshness: Required<FreshnessPolicy>
  readonly limits: Required<FollowLimits>
  readonly clock: Clock
  readonly fetch: typeof fetch
  readonly random: () => number
}

const loopback = /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|\[::1\])$/

/**
 * For whoever will follow later, and wants wrong options to stop the start.
 * @throws RevocationError `bad_option`
 */
export function checkFollowOptions(url: string, options: FollowOptions): void {
  resolveFollowOptions(url, options)
}

/** @throws RevocationError `bad_option` */
export function resolveFollowOptions(text: string, options: FollowOptions): ResolvedFollowOptions {
  const insecure = options[allowInsecureIssuer] === true
  const base = text.replace(/\/$/, '')
  const url = parseUrl(base, 'the URL', insecure)
  const service = /^(.+)\/revocations$/.exec(base)?.[1]
  const issuer = options.issuer ?? service
  if (issuer === undefined) throw badOption('"issuer" is needed, since the URL does not end in /revocations.')
  if (typeof options.consumer !== 'string' || options.consumer === '') throw badOption('"consumer" is needed.')
  const instance = options.instance ?? crypto.randomUUID()
  if (instance.length < 1 || instance.length > 128) throw badOption('"instance" has 1 to 128 characters.')
  const { limits = {} } = options
  const ackUrl = options.ackUrl ?? `${service ?? issuer}/consumers/ack`
  return {
    url,
    ackUrl: parseUrl(ackUrl, '"ackUrl"', insecure),
    issuer,
    instance,
    freshness: resolveFreshness(options.freshness),
    limits: {
      maxEntries: limits.maxEntries ?? 5_000_000,
      mapEntries: limits.mapEntries ?? 100_000,
      maxSnapshotBytes: within('maxSnapshotBytes', limits.maxSnapshotBytes ?? 2 ** 28, 1_024, 2 ** 30),
      maxMessageBytes: within('maxMessageBytes', limits.maxMessageBytes ?? 2 ** 23, 1_024, 2 ** 26),
      requestTimeoutMs: within('requestTimeoutMs', limits.requestTimeoutMs ?? 3_000, 100, 10_000),
      snapshotTimeoutMs: within('snapshotTimeoutMs', limits.snapshotTimeoutMs ?? 30_000, 1_000, 300_000),
    },
    clock: options.clock ?? systemClock,
    // Called as a function of its own: a browser's fetch refuses another `this`.
    fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
    random: options.random ?? Math.random,
  }
}

function parseUrl(text: string, what: string, insecure: boolean): URL {
  if (!URL.canParse(text) || /[?#]/.test(text)) throw badOption(`${what} is not a URL without query and fragment.`)
  const url = new URL(text)
  const plain = url.protocol === 'http:' && (loopback.test(url.hostname) || insecure)
  if (url.protocol !== 'https:' && !plain) throw badOption(`${what} must use https; http is for loopback only.`)
  if (url.username !== '' || url.password !== '') throw badOption(`${what} must carry no credentials.`)
  return url
}

function within(name: string, value: number, least: number, most: number): number {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value
  throw badOption(`"${name}" is a whole number from ${least} to ${most}.`)
}

function badOption(message: string): RevocationError {
  return new RevocationError('bad_option', `followRevocations: ${message}`)
}
