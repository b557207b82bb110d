import * as z from 'zod'
import { type Clock, systemClock } from './clock.ts'
import type { AddressPolicy, DocumentProblem, FetchDocument } from './fetch-contract.ts'
import { documentsBy } from './fetch-document.ts'
import { allowInsecureIssuer, isLoopbackHost, parseTrustedUrl } from './insecure.ts'
import { addressKind } from './internal/addresses.ts'
import { clockProblem, isClock, optionProblem } from './internal/option-problem.ts'
import type { KeySetProblem } from './internal/read-key-set.ts'
import { TokensError } from './tokens-error.ts'

/** What a JWKS reader reports. Never a key id: those come from whoever sends tokens. */
export type JwksEvent =
  | {
      readonly type: 'jwks_refreshed'
      readonly url: string
      /** Usable keys now. */
      readonly keys: number
      readonly added: number
      readonly removed: number
      /** Keys of the document that are of no use here. */
      readonly skipped: number
      /** Seconds until the set is past its age, after clamping. */
      readonly freshSeconds: number
    }
  | {
      readonly type: 'jwks_refresh_failed'
      readonly url: string
      readonly reason: DocumentProblem | KeySetProblem | 'timeout'
      readonly status?: number
      /** True while keys of an earlier reading are in use. */
      readonly keysKept: boolean
      /** Seconds that those are past their age; 0 if they are not. */
      readonly staleSeconds: number
    }
  /** The keys were kept past their age for as long as is allowed, and are used no more. */
  | { readonly type: 'jwks_expired'; readonly url: string }
  /** A key id asked for a fetch that the limits do not allow now; at most one event for each refill of the bucket. */
  | { readonly type: 'jwks_fetch_limited'; readonly url: string }
  /** A key id that the set did not have made us read it again: what came of that. */
  | { readonly type: 'jwks_unknown_kid'; readonly url: string; readonly outcome: 'found' | 'absent' | 'failed' }

export interface RemoteJwksOptions {
  /** Called as things happen; what it throws is dropped. */
  readonly onEvent?: (event: JwksEvent) => void
  readonly clock?: Clock
  /** Milliseconds for a whole fetch, 100 to 10,000. @default 3_000 */
  readonly timeoutMs?: number
  /** Most bytes of a document, 1,024 to 1,048,576. @default 65_536 */
  readonly maxBytes?: number
  /** Accepts private and link-local addresses, literal or resolved: for an issuer on a network of your own. */
  readonly allowPrivateAddresses?: boolean
  /**
   * For loopback URLs only: ages, cool-downs and the limits on them times `scale` (above 0, at most 1), so that a tour
   * sees a whole rotation in seconds.
   */
  readonly demo?: { readonly scale: number }
  /** Instead of the runtime's own client. It sees no resolved addresses: only literal ones are refused then. */
  readonly fetch?: typeof fetch
  readonly [allowInsecureIssuer]?: true
}

/** Every number of the reader, in milliseconds but for the counts. */
export interface JwksLimits {
  readonly timeoutMs: number
  readonly maxBytes: number
  /** Freshness of an answer that does not say. */
  readonly defaultAgeMs: number
  readonly leastAgeMs: number
  readonly mostAgeMs: number
  /** Part of the age after which the set is read again. */
  readonly refreshAt: number
  /** How long keys are used past their age while the endpoint is down. */
  readonly staleMs: number
  /** One fetch each, and a burst. */
  readonly refillMs: number
  readonly burst: number
  /** Key ids that the set did not have. */
  readonly unknownKids: number
  readonly unknownKidMs: number
}

export interface ResolvedJwksOptions {
  readonly url: URL
  readonly addresses: AddressPolicy
  readonly limits: JwksLimits
  readonly clock: Clock
  readonly fetchDocument: FetchDocument
}

const call = z.custom<unknown>((value) => typeof value === 'function', 'must be a function')

const optionsSchema = z.strictObject({
  timeoutMs: z.int().min(100).max(10_000).default(3_000),
  maxBytes: z.int().min(1_024).max(1_048_576).default(65_536),
  allowPrivateAddresses: z.boolean().default(false),
  demo: z.strictObject({ scale: z.number().gt(0).max(1) }).optional(),
  onEvent: call.optional(),
  fetch: call.optional(),
  clock: z.custom<unknown>(isClock, clockProblem).optional(),
})

/** @throws TokensError `bad_option` or `insecure_url` */
export function resolveJwksOptions(
  text: string | URL,
  options: RemoteJwksOptions,
  runtimeFetch: FetchDocument,
): ResolvedJwksOptions {
  const parsed = optionsSchema.safeParse(options)
  if (!parsed.success) throw new TokensError('bad_option', `remoteJwks: ${optionProblem(parsed.error)}`)
  const { timeoutMs, maxBytes, allowPrivateAddresses, demo } = parsed.data
  const insecure = options[allowInsecureIssuer] === true
  const url = parseTrustedUrl(String(text), 'remoteJwks: the URL', insecure)
  const loopback = isLoopbackHost(url.hostname)
  if (demo !== undefined && !loopback) {
    throw new TokensError('bad_option', 'remoteJwks: "demo" is for loopback URLs only.')
  }
  const addresses = loopback ? 'loopback' : allowPrivateAddresses || insecure ? 'any' : 'public'
  const literal = addressKind(url.hostname)
  if (addresses === 'public' && literal !== undefined && literal !== 'public') {
    throw new TokensError('insecure_url', 'remoteJwks: the URL has a private address; see "allowPrivateAddresses".')
  }
  const scale = demo?.scale ?? 1
  const scaled = (seconds: number): number => seconds * 1000 * scale
  return {
    url,
    addresses,
    clock: options.clock ?? systemClock,
    fetchDocument: options.fetch === undefined ? runtimeFetch : documentsBy(options.fetch),
    limits: {
      timeoutMs,
      maxBytes,
      defaultAgeMs: scaled(300),
      leastAgeMs: scaled(30),
      mostAgeMs: scaled(3_600),
      refreshAt: 0.8,
      staleMs: scaled(86_400),
      refillMs: scaled(30),
      burst: 2,
      unknownKids: 1_024,
      unknownKidMs: scaled(60),
    },
  }
}
