import { fetchDocument as runtimeFetch } from '#fetch-document'
import type { DocumentAnswer } from './fetch-contract.ts'
import { endWithSignal } from './internal/end-with-signal.ts'
import { freshSeconds } from './internal/max-age.ts'
import { type ReadKey, readKeySet } from './internal/read-key-set.ts'
import { RecentNames } from './internal/recent-names.ts'
import { TokenBucket } from './internal/token-bucket.ts'
import { type JwksEvent, type RemoteJwksOptions, resolveJwksOptions } from './jwks-options.ts'
import type { KeySource, PublicJwk } from './key-source.ts'
import { TokenRejected } from './rejection.ts'

/** The keys of an issuer's JWKS, kept in memory and read again in time. */
export interface RemoteJwks extends KeySource {
  readonly ready: boolean
  kids(): readonly string[]
  /**
   * Reads the set now, or joins a reading under way. For start-up and for operators: it is not held back by the limits
   * on fetches, so nothing that a stranger sends may cause it.
   *
   * @returns true if there is a fresh set now; never throws
   */
  refresh(): Promise<boolean>
  /** Ends reading, also one under way. The keys are used until their age. */
  close(): void
}

interface KeySet {
  readonly keys: ReadonlyMap<string, ReadKey>
  readonly etag: string | undefined
  readonly freshUntilMs: number
  /** The same on the wall clock: a monotonic one stands still while the machine sleeps. */
  readonly freshUntil: number
}

/**
 * Reads a JWKS (RFC 7517 section 5) within limits: https (or loopback), no redirects, 3 s, 64 KiB, 32 keys; a set that is
 * empty or names a key twice is refused and the old one kept. `max-age` is honoured between 30 s and 1 h, the set is read
 * again at 80 % of it, and while the endpoint is down keys are used for up to 24 h past it. However many unknown key ids
 * come in, there are never more fetches than 2 and one for each 30 s.
 *
 * @param url from your configuration; never from a token
 * @throws TokensError `bad_option` or `insecure_url`
 */
export function remoteJwks(url: string | URL, options: RemoteJwksOptions = {}): RemoteJwks {
  const resolved = resolveJwksOptions(url, options, runtimeFetch)
  return new JwksReader(resolved, options.onEvent)
}

class JwksReader implements RemoteJwks {
  readonly #options: ReturnType<typeof resolveJwksOptions>
  readonly #onEvent: ((event: JwksEvent) => void) | undefined
  readonly #bucket: TokenBucket
  readonly #unknown: RecentNames
  /** For events: without the query, which may hold more than it should. */
  readonly #name: string
  #set: KeySet | undefined
  /** True from a failed reading to the next one that succeeds: only then are keys used past their age. */
  #down = false
  #reading: Promise<boolean> | undefined
  #abort: AbortController | undefined
  #cancelTimer: (() => void) | undefined
  #closed = false
  /** Why there is no set, for whoever reads the refusal. */
  #failure: string | undefined
  #expiryReported = false
  #limitReportedAtMs = Number.NEGATIVE_INFINITY

  constructor(options: ReturnType<typeof resolveJwksOptions>, onEvent: ((event: JwksEvent) => void) | undefined) {
    const { limits, clock } = options
    this.#options = options
    this.#onEvent = onEvent
    this.#name = options.url.origin + options.url.pathname
    this.#bucket = new TokenBucket(limits.refillMs, limits.burst, clock.monotonicMs())
    this.#unknown = new RecentNames(limits.unknownKids, limits.unknownKidMs)
  }

  get ready(): boolean {
    return this.#usable() !== undefined
  }

  get(kid: string): PublicJwk | undefined {
    return this.#usable()?.keys.get(kid)?.key
  }

  kids(): readonly string[] {
    return [...(this.#usable()?.keys.keys() ?? [])]
  }

  async load(kid: string): Promise<PublicJwk | undefined> {
    const held = this.get(kid)
    if (held !== undefined) return held
    const { clock } = this.#options
    if (!(this.ready && this.#unknown.has(kid, clock.monotonicMs()))) {
      const starts = this.#reading === undefined && !this.#closed && this.#mayFetch()
      const refetch = starts && this.ready
      if (starts) this.#start()
      const current = (await this.#reading) === true
      const found = this.get(kid) !== undefined
      if (current && !found) this.#unknown.add(kid, clock.monotonicMs())
      if (refetch && !this.#closed) {
        const outcome = !current ? 'failed' : found ? 'found' : 'absent'
        this.#report({ type: 'jwks_unknown_kid', url: this.#name, outcome })
      }
    }
    if (!this.ready) throw this.#unavailable()
    return this.get(kid)
  }

  #unavailable(): TokenRejected {
    const why = this.#failure ?? 'not read lately'
    const details = { where: 'header.kid', setting: 'keys', cause: new Error(`${this.#name}: ${why}`) }
    return new TokenRejected('keys_unavailable', `No key set could be read (${why}).`, details)
  }

  async refresh(): Promise<boolean> {
    if (this.#closed) return false
    if (this.#reading === undefined) {
      this.#bucket.take(this.#options.clock.monotonicMs())
      this.#start()
    }
    return (await this.#reading) === true
  }

  close(): void {
    this.#closed = true
    this.#cancelTimer?.()
    this.#abort?.abort()
  }

  /** The set, if it may be used now. */
  #usable(): KeySet | undefined {
    const set = this.#set
    if (set === undefined) return undefined
    const pastMs = this.#pastMs(set)
    if (pastMs < 0) return set
    // Nobody has tried since: after a suspended machine's sleep the keys may have been withdrawn long ago.
    if (!this.#down && this.#reading === undefined) return undefined
    if (pastMs < this.#options.limits.staleMs) return set
    if (!this.#expiryReported) {
      this.#expiryReported = true
      this.#report({ type: 'jwks_expired', url: this.#name })
    }
    return undefined
  }

  /** Milliseconds past the set's age; negative before. */
  #pastMs({ freshUntilMs, freshUntil }: KeySet): number {
    const { clock } = this.#options
    return Math.max(clock.monotonicMs() - freshUntilMs, (clock.now() - freshUntil) * 1000)
  }

  #mayFetch(): boolean {
    const nowMs = this.#options.clock.monotonicMs()
    if (this.#bucket.take(nowMs)) return true
    if (nowMs - this.#limitReportedAtMs >= this.#options.limits.refillMs) {
      this.#limitReportedAtMs = nowMs
      this.#report({ type: 'jwks_fetch_limited', url: this.#name })
    }
    return false
  }

  /** Begins the one reading under way. The bucket was charged before, whatever comes of it. */
  #start(): void {
    this.#cancelTimer?.()
    this.#reading = this.#read().finally(() => {
      this.#reading = undefined
      this.#schedule()
    })
  }

  /** Reads again at 80 % of the age, or as soon as the bucket allows. */
  #schedule(): void {
    if (this.#closed) return
    const { clock, limits } = this.#options
    const nowMs = clock.monotonicMs()
    const ageMs = this.#set === undefined ? 0 : Math.max(0, this.#set.freshUntilMs - nowMs)
    const dueMs = this.#down ? 0 : ageMs * limits.refreshAt
    this.#cancelTimer = clock.after(
      Math.max(dueMs, this.#bucket.waitMs(nowMs), this.#down ? limits.refillMs : 0),
      () => {
        if (this.#bucket.take(clock.monotonicMs())) this.#start()
        else this.#schedule()
      },
    )
  }

  async #read(): Promise<boolean> {
    const { url, addresses, limits, clock, fetchDocument } = this.#options
    const abort = new AbortController()
    this.#abort = abort
    let timedOut = false
    const cancel = clock.after(limits.timeoutMs, () => {
      timedOut = true
      abort.abort()
    })
    const etag = this.#set?.etag
    const request = { url, signal: abort.signal, maxBytes: limits.maxBytes, addresses, etag }
    const answer = await endWithSignal(fetchDocument, request)
    cancel()
    if (this.#closed) return false
    if (!answer.ok) {
      return this.#fail(timedOut ? 'timeout' : answer.reason, answer.status)
    }
    return this.#accept(answer)
  }

  #accept(answer: Extract<DocumentAnswer, { ok: true }>): boolean {
    const { clock, limits } = this.#options
    const before: ReadonlyMap<string, ReadKey> = this.#set?.keys ?? new Map()
    const reading =
      answer.status === 304 ? ({ ok: true, keys: before, skipped: 0 } as const) : readKeySet(answer.text, before)
    if (!reading.ok) return this.#fail(reading.reason)
    if (reading.keys.size === 0) return this.#fail('status', 304)
    const saidSeconds = freshSeconds(answer.cacheControl, answer.age)
    const ageMs = Math.min(
      limits.mostAgeMs,
      Math.max(limits.leastAgeMs, saidSeconds === undefined ? limits.defaultAgeMs : saidSeconds * 1000),
    )
    const etag = answer.etag ?? (answer.status === 304 ? this.#set?.etag : undefined)
    this.#set = {
      keys: reading.keys,
      etag,
      freshUntilMs: clock.monotonicMs() + ageMs,
      freshUntil: clock.now() + ageMs / 1000,
    }
    this.#down = false
    this.#failure = undefined
    this.#expiryReported = false
    this.#unknown.clear()
    const kept = [...reading.keys].filter(([kid, { key }]) => before.get(kid)?.key === key).length
    this.#report({
      type: 'jwks_refreshed',
      url: this.#name,
      keys: reading.keys.size,
      added: reading.keys.size - kept,
      removed: before.size - kept,
      skipped: reading.skipped,
      freshSeconds: ageMs / 1000,
    })
    return true
  }

  #fail(reason: Extract<JwksEvent, { type: 'jwks_refresh_failed' }>['reason'], status?: number): false {
    this.#down = true
    this.#failure = status === undefined ? reason : `${reason} ${status}`
    const set = this.#usable()
    const pastMs = set === undefined ? 0 : this.#pastMs(set)
    this.#report({
      type: 'jwks_refresh_failed',
      url: this.#name,
      reason,
      ...(status === undefined ? undefined : { status }),
      keysKept: set !== undefined,
      staleSeconds: Math.max(0, pastMs / 1000),
    })
    return false
  }

  #report(event: JwksEvent): void {
    try {
      this.#onEvent?.(event)
    } catch {
      // An observer's fault must not cost the fleet its keys.
    }
  }
}
