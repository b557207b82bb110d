import {
  checkFollowOptions,
  type FollowOptions,
  followRevocations,
  type RevocationFollower,
} from '@countersign/revocation'
import { allowInsecureIssuer, type Clock, type KeySource, TokenRejected } from '@countersign/tokens'
import { type RemoteJwks, type RemoteJwksOptions, remoteJwks } from '@countersign/tokens/jwks'
import type { LinkEvent } from './events.ts'
import { type IssuerMetadata, readIssuerMetadata } from './issuer-metadata.ts'
import { createLateRevocations } from './late-revocations.ts'
import type { Revocations } from './revocations.ts'
import { waitFor } from './wait-for.ts'

/** How the issuer's revocation feed is followed: as with `followRevocations`. */
export interface IssuerFeedOptions extends Omit<FollowOptions, 'consumer' | 'issuer' | 'clock'> {
  /** Where it is, of any origin. @default where the issuer's metadata says, which has to be at the issuer's own origin */
  readonly url?: string
}

export interface IssuerLinkOptions {
  /** @default where the issuer's metadata says */
  readonly jwksUrl: string | undefined
  readonly jwks: RemoteJwksOptions
  /** `undefined` follows the issuer's feed, if it has one. */
  readonly revocations: Revocations | false | undefined
  readonly feed: IssuerFeedOptions
  readonly clock: Clock
  readonly onEvent: ((event: LinkEvent) => void) | undefined
}

/** What a guard has of its issuer. */
export interface IssuerLink {
  readonly keys: KeySource
  readonly revocations: Revocations | undefined
  whenReady(): Promise<void>
  close(): Promise<void>
}

/** Two tries at once, then one each 30 s: a flood of tokens does not become a flood of requests. */
const burst = 2
const refillMs = 30_000
/** How long the first tokens wait for the first news of revocations. */
const firstNewsMs = 3_000
/** Between tries that no token asked for. */
const firstRetryMs = 1_000
const lastRetryMs = 30_000

interface Found {
  readonly where: IssuerMetadata
  readonly jwks: RemoteJwks
  readonly keys: KeySource
  readonly follower: RevocationFollower | undefined
}

/**
 * The keys and the feed of an issuer, looked for when the first token arrives, in the one metadata document: whoever
 * has keys knows whether there is a feed, so an issuer that cannot be reached is never taken for one that has none.
 * The document is read once; where things are does not change while the process lives.
 *
 * @throws TokensError and RevocationError for what the readers of keys and feed do not accept
 */
export function linkIssuer(issuer: string, audience: string, options: IssuerLinkOptions): IssuerLink {
  const { jwksUrl, feed, clock, onEvent } = options
  const jwks = { ...options.jwks, clock }
  // Neither asks for anything: wrong options stop the start here, not the first request.
  remoteJwks(jwksUrl ?? issuer, jwks)
  const given = options.revocations || undefined
  const follows = options.revocations === undefined && (jwksUrl === undefined || feed.url !== undefined)
  const late = follows ? createLateRevocations() : undefined
  const following = followOptions(issuer, audience, options)
  if (late !== undefined) checkFollowOptions(feed.url ?? new URL('/revocations', issuer).href, following)
  const closing = new AbortController()
  const { signal } = closing
  let opened: Found | undefined
  let found: Found | undefined
  let pending: Promise<Found> | undefined
  let tries = burst
  let countedAtMs = clock.monotonicMs()
  let lastFailure: unknown

  const mayTry = (): boolean => {
    const nowMs = clock.monotonicMs()
    tries = Math.min(burst, tries + (nowMs - countedAtMs) / refillMs)
    countedAtMs = nowMs
    if (tries < 1) return false
    tries -= 1
    return true
  }

  const locate = async (): Promise<IssuerMetadata> => {
    const metadata = jwksUrl === undefined ? await readIssuerMetadata(issuer, { ...jwks, signal }) : { jwksUrl }
    if (late === undefined) return { jwksUrl: metadata.jwksUrl }
    if (feed.url !== undefined) return { ...metadata, revocationsUrl: feed.url }
    const { revocationsUrl = issuer } = metadata
    if (new URL(revocationsUrl).origin === new URL(issuer).origin) return metadata
    throw new Error('The metadata names a revocation feed of another origin: if that is right, name it in `feed.url`.')
  }

  const open = async (): Promise<Found> => {
    const where = await locate()
    signal.throwIfAborted()
    const own = remoteJwks(where.jwksUrl, jwks)
    const follower = where.revocationsUrl === undefined ? undefined : followRevocations(where.revocationsUrl, following)
    opened = { where, jwks: own, keys: follower?.useKeys(own) ?? own, follower }
    late?.comeFrom(follower)
    return opened
  }

  const start = async (): Promise<Found> => {
    const now = await open().catch((cause: unknown) => {
      if (!signal.aborted) onEvent?.({ type: 'issuer_failed', issuer, cause })
      lastFailure = cause
      throw unavailable('The issuer could not be used.', { cause })
    })
    if (now.follower !== undefined) await waitFor(firstNewsMs, clock, signal, now.follower.whenReady())
    if (signal.aborted) throw unavailable('The guard was closed.')
    found = now
    onEvent?.({ type: 'issuer_found', issuer, ...now.where })
    return now
  }

  const find = (isForced: boolean): Promise<Found> => {
    // Counted before the request, so that one that hangs or fails has been counted too.
    if (pending === undefined && !(isForced || mayTry())) {
      return Promise.reject(unavailable('The issuer could not be used a moment ago.', { cause: lastFailure }))
    }
    pending ??= start().finally(() => {
      pending = undefined
    })
    return pending
  }

  const becomeReady = async (): Promise<void> => {
    for (let retryMs = firstRetryMs; ; retryMs = Math.min(2 * retryMs, lastRetryMs)) {
      const got = found ?? (await find(true).catch(() => undefined))
      if (got !== undefined && (got.jwks.ready || (await got.jwks.refresh()))) {
        return (got.follower ?? given)?.whenReady?.()
      }
      await waitFor(retryMs, clock, signal)
      if (signal.aborted) return new Promise(() => {})
    }
  }

  const lazy: KeySource = {
    get: (kid) => found?.keys.get(kid),
    kids: () => found?.keys.kids?.() ?? [],
    load: async (kid) => (found ?? (await find(false))).keys.load(kid),
  }
  let ready: Promise<void> | undefined
  return {
    keys: given?.useKeys?.(lazy) ?? lazy,
    revocations: late ?? given,
    whenReady() {
      ready ??= becomeReady()
      return ready
    },
    async close() {
      closing.abort()
      opened?.jwks.close()
      await opened?.follower?.close()
    },
  }
}

function followOptions(issuer: string, consumer: string, { jwks, feed, clock }: IssuerLinkOptions): FollowOptions {
  const { url: _, ...own } = feed
  return {
    ...(jwks.fetch === undefined ? {} : { fetch: jwks.fetch }),
    ...(jwks[allowInsecureIssuer] === true ? { [allowInsecureIssuer]: true } : {}),
    ...own,
    jwks: { ...jwks, ...own.jwks },
    consumer,
    issuer,
    clock,
  }
}

function unavailable(message: string, options?: ErrorOptions): TokenRejected {
  return new TokenRejected('keys_unavailable', message, options)
}
