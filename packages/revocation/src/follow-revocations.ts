import { allowInsecureIssuer, type KeySource, type Principal } from '@countersign/tokens'
import { remoteJwks } from '@countersign/tokens/jwks'
import type { FeedEvent } from './feed-events.ts'
import { type KeyNews, withFeedKeys } from './feed-keys.ts'
import { type FollowOptions, resolveFollowOptions } from './follower-options.ts'
import { type Freshness, type FreshnessLevel, levelAt } from './freshness.ts'
import { type Acknowledger, startAcknowledging } from './internal/acknowledger.ts'
import { FeedAge } from './internal/feed-age.ts'
import { createFeedClient } from './internal/feed-client.ts'
import { createReplica } from './internal/replica.ts'
import { createStreamKeeper } from './internal/stream-keeper.ts'
import { createSynchronizer } from './internal/synchronizer.ts'
import type { Acknowledgement } from './ports.ts'
import { createRevocationView, type RevocationListener, type RevocationView } from './view.ts'

/** Follows a feed; what a guard takes as `revocations`. */
export interface RevocationFollower extends KeyNews {
  /** What is held. */
  readonly view: RevocationView
  /** True from the first snapshot on. */
  readonly ready: boolean
  /** Resolves with the first snapshot; never, if it is closed before. */
  whenReady(): Promise<void>
  isRevoked(principal: Principal): boolean
  onChange(call: RevocationListener): () => void
  /** How far what is held may be relied on now. */
  freshness(): Freshness
  /** Calls back when the level changes: within a second, while `freshness()` tells at once. */
  onFreshness(call: (level: FreshnessLevel) => void): () => void
  /**
   * The keys of tokens with the feed's news of them: for the verifier. Their ids are what is acknowledged, as far as the
   * source can tell them; without any, nothing is.
   */
  useKeys(keys: KeySource): KeySource
  /** Ends everything that was started. What is held goes on ageing. */
  close(): Promise<void>
}

/** How often the feed is polled while the stream is silent, and everything looked at. */
const tickMs = 1_000
/**
 * Follows the revocation feed of an issuer: the snapshot first, then the stream, and while that is silent deltas, asked
 * for each second. Every head is verified with the feed's own keys; a head that is lower than one before is refused;
 * after a gap, or where what is held is not what a head counts, the snapshot is taken again.
 *
 * @param url of the feed: `https://auth.example.com/revocations`; https, or http on loopback
 * @throws RevocationError `bad_option`; TokensError for what the JWKS reader does not accept
 *
 * @example The guard of a consumer
 * const revocations = followRevocations('https://auth.example.com/revocations', { consumer: 'agent-api' })
 * const guard = createGuard({ issuer: 'https://auth.example.com', audience: 'agent-api', revocations })
 */
export function followRevocations(url: string, options: FollowOptions): RevocationFollower {
  const resolved = resolveFollowOptions(url, options)
  const { clock, limits, random, freshness: policy } = resolved
  const insecure = options[allowInsecureIssuer] === true ? ({ [allowInsecureIssuer]: true } as const) : {}
  const ownKeys =
    options.keys === undefined
      ? remoteJwks(`${resolved.url.href}/jwks.json`, {
          ...(options.fetch === undefined ? {} : { fetch: options.fetch }),
          ...insecure,
          ...options.jwks,
          clock,
        })
      : undefined
  const keys = options.keys ?? (ownKeys as KeySource)
  const closing = new AbortController()
  const { signal } = closing
  const view = createRevocationView({ clock, maxEntries: limits.maxEntries, mapEntries: limits.mapEntries })
  const age = new FeedAge(clock)
  const client = createFeedClient({ ...limits, url: resolved.url, fetch: resolved.fetch, clock })
  const tokenKeys = new Set<KeySource>()
  const levelListeners = new Set<(level: FreshnessLevel) => void>()
  let tellReady: () => void = () => {}
  const whenReady = new Promise<void>((resolve) => {
    tellReady = resolve
  })
  let acknowledger: Acknowledger | undefined

  const report = (event: FeedEvent): void => {
    try {
      options.onEvent?.(event)
    } catch {
      // An observer's fault must not cost a consumer its revocations.
    }
  }

  let level: FreshnessLevel = 'starting'
  const freshness = (): Freshness => {
    const ageSeconds = age.seconds()
    return { level: levelAt(ageSeconds, policy), ageSeconds }
  }
  const assess = (): void => {
    const now = freshness()
    if (now.level === level || signal.aborted) return
    level = now.level
    report({ type: 'feed_freshness', ...now })
    for (const call of [...levelListeners]) {
      try {
        call(level)
      } catch (cause) {
        report({ type: 'feed_fault', cause })
      }
    }
  }

  const synchronizer = createSynchronizer({
    view,
    replica: createReplica(view, age, { issuer: resolved.issuer, keys }),
    client,
    clock,
    random,
    signal,
    report,
    onComplete: (at, via) => {
      if (via === 'stream') stream.heard(at)
    },
    onLoaded: () => {
      tellReady()
      stream.look()
      const { ack: getToken } = options
      if (getToken === undefined || acknowledger !== undefined) return
      const { fetch, ackUrl } = resolved
      const timeoutMs = limits.requestTimeoutMs
      const send = { url: ackUrl, getToken, fetch, timeoutMs }
      acknowledger = startAcknowledging({ ...send, clock, signal, report, held, state })
    },
    onTurn: () => {
      assess()
      // Somebody may be waiting to see that a revocation, or the next key, has come here.
      acknowledger?.look()
    },
  })
  const stream = createStreamKeeper({
    client,
    clock,
    random,
    signal,
    report,
    position: () => view.position,
    onMessage: synchronizer.take,
    // Not only with the next tick: what comes meanwhile would be a second late.
    onDown: synchronizer.poll,
  })

  const kids = (): string[] => {
    const all = new Set([...tokenKeys].flatMap((source) => source.kids?.() ?? []).concat(view.successors()))
    return [...all].sort()
  }
  const held = (): string => `${view.position?.epoch}.${view.position?.seq} ${kids().join(' ')}`

  const state = async (): Promise<Acknowledgement | undefined> => {
    // A reader that no token has asked yet holds nothing: without this, a consumer without traffic would hold up rotations.
    const idle = [...tokenKeys].filter((source) => source.kids?.().length === 0)
    await Promise.all(idle.map((source) => source.load('').catch(() => undefined)))
    const { position } = view
    if (position === undefined || tokenKeys.size === 0) return undefined
    return { consumer: options.consumer, instance: resolved.instance, kids: kids(), position }
  }

  let cancelTick: () => void = () => {}
  const tick = (): void => {
    assess()
    if (stream.isSilent) synchronizer.poll()
    stream.look()
    cancelTick = clock.after(tickMs, tick)
  }
  tick()

  return {
    view,
    get ready() {
      return view.position !== undefined
    },
    whenReady: () => whenReady,
    isRevoked: (principal) => view.isRevoked(principal),
    isKeyRevoked: (kid) => view.isKeyRevoked(kid),
    successor: (kid) => view.successor(kid),
    onChange: (call) => view.onChange(call),
    freshness,
    onFreshness(call) {
      const listener = (now: FreshnessLevel): void => call(now)
      levelListeners.add(listener)
      return () => levelListeners.delete(listener)
    },
    useKeys(source) {
      const used = withFeedKeys(source, view)
      // One that cannot say what it holds would be heard as holding nothing.
      if (source.kids !== undefined) tokenKeys.add(used)
      return used
    },
    async close() {
      closing.abort()
      cancelTick()
      ownKeys?.close()
      await Promise.all([synchronizer.idle(), stream.idle(), acknowledger?.idle()])
    },
  }
}
