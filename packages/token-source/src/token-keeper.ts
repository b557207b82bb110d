import type { Clock } from '@countersign/tokens'
import { isTokenSourceError, TokenSourceError } from './errors.ts'
import type { Obtain, Obtained } from './obtain.ts'
import type { GetTokenOptions, TokenSourceEvent } from './options.ts'

export interface KeeperOptions {
  readonly obtain: Obtain
  readonly clock: Clock
  readonly patienceMs: number
  readonly defaultLifeSeconds: number
  /** Renews ahead by a timer of its own, as long as the token is in use. */
  readonly ahead: boolean
  readonly random: () => number
  readonly onEvent: ((event: TokenSourceEvent) => void) | undefined
}

interface Held {
  readonly accessToken: string
  readonly obtainedMs: number
  /** On both clocks: the one stands still while a machine sleeps, the other can be set. */
  readonly endsMs: number
  readonly endsAt: number
  readonly renewMs: number
  /** With less left than this it is too late for a request that still has to travel. */
  readonly marginMs: number
}

interface Failure {
  readonly error: TokenSourceError
  readonly count: number
  readonly untilMs: number
}

/** A refusal of the newest token asks for another at most this often. */
const rejectionGapMs = 5_000
const shortestWaitMs = 500
const longestWaitMs = 30_000
const longestTimerMs = 2_147_483_647

/** Holds one token: a single request at a time, renewed ahead, kept through an outage while it lives. */
export class TokenKeeper {
  readonly #options: KeeperOptions
  #held: Held | undefined
  #refused: string | undefined
  #failure: Failure | undefined
  #renewing: Promise<Held> | undefined
  #cancelTimer: (() => void) | undefined
  #used = false
  #closed = false

  constructor(options: KeeperOptions) {
    this.#options = options
  }

  /** Milliseconds until the token ends; 0 without one. */
  get leftMs(): number {
    return this.#held === undefined ? 0 : this.#left(this.#held)
  }

  async get({ reason, token, signal }: GetTokenOptions): Promise<string> {
    if (this.#closed) throw new TokenSourceError('closed', 'The token source is closed.')
    signal?.throwIfAborted()
    this.#used = true
    if (reason === 'rejected') this.#giveUp(token)
    const held = this.#held
    if (held === undefined || this.#left(held) <= held.marginMs) return (await this.#patiently(signal)).accessToken
    if (this.#nowMs() >= held.renewMs) this.#renewInBackground()
    return held.accessToken
  }

  close(): void {
    this.#closed = true
    this.#cancelTimer?.()
    this.#held = undefined
  }

  #nowMs(): number {
    return this.#options.clock.monotonicMs()
  }

  #left({ endsMs, endsAt }: Held): number {
    return Math.max(0, Math.min(endsMs - this.#nowMs(), (endsAt - this.#options.clock.now()) * 1000))
  }

  #giveUp(token: string | undefined): void {
    const held = this.#held
    if (held === undefined || (token !== undefined && token !== held.accessToken)) return
    if (this.#nowMs() - held.obtainedMs < rejectionGapMs) return
    this.#refused = held.accessToken
    this.#held = undefined
  }

  /** Tries until the caller's patience ends; each try is shared with all who wait. */
  async #patiently(signal: AbortSignal | undefined): Promise<Held> {
    const untilMs = this.#nowMs() + this.#options.patienceMs
    for (;;) {
      try {
        return await heeding(signal, this.#renew())
      } catch (error) {
        const held = this.#held
        if (held !== undefined && this.#left(held) > 0) return held
        if (this.#closed || !isTokenSourceError(error) || error.code !== 'unavailable') throw error
        const waitMs = Math.max(0, (this.#failure?.untilMs ?? 0) - this.#nowMs())
        if (this.#nowMs() + waitMs >= untilMs) throw error
        await heeding(signal, this.#sleep(waitMs))
      }
    }
  }

  #renewInBackground(): void {
    // Who needs it hears of the failure when the token has ended; the event has told it before.
    this.#renew().catch(() => undefined)
  }

  #renew(): Promise<Held> {
    this.#renewing ??= this.#attempt().finally(() => {
      this.#renewing = undefined
    })
    return this.#renewing
  }

  async #attempt(): Promise<Held> {
    const resting = this.#failure
    if (resting !== undefined && this.#nowMs() < resting.untilMs) throw this.#again(resting)
    // A token's life begins somewhere between question and answer; a slow answer must not make it longer.
    const asked = { ms: this.#nowMs(), at: this.#options.clock.now() }
    try {
      const held = this.#hold(await this.#options.obtain(this.#refused), asked)
      if (this.#closed) throw new TokenSourceError('closed', 'The token source was closed meanwhile.')
      this.#held = held
      this.#failure = undefined
      this.#used = false
      this.#arm(held.renewMs)
      this.#options.onEvent?.({ type: 'token.renewed', expiresAt: Math.floor(held.endsAt) })
      return held
    } catch (error) {
      if (this.#closed || !isTokenSourceError(error)) throw error
      this.#failure = this.#rest(error)
      if (this.leftMs > 0) this.#arm(this.#failure.untilMs)
      const retryInMs = Math.round(this.#failure.untilMs - this.#nowMs())
      this.#options.onEvent?.({ type: 'token.renewal_failed', code: error.code, retryInMs })
      throw error
    }
  }

  #hold(
    { accessToken, lifeSeconds = this.#options.defaultLifeSeconds }: Obtained,
    asked: { readonly ms: number; readonly at: number },
  ): Held {
    const lifeMs = lifeSeconds * 1000
    return {
      accessToken,
      obtainedMs: this.#nowMs(),
      endsMs: asked.ms + lifeMs,
      endsAt: asked.at + lifeSeconds,
      // Between 70 and 80 %, so that a fleet started at once does not renew at once.
      renewMs: asked.ms + lifeMs * (0.7 + 0.1 * this.#options.random()),
      marginMs: Math.min(5_000, lifeMs / 10),
    }
  }

  /** Full jitter over a doubling bound; a server that names its time is given that. */
  #rest(error: TokenSourceError): Failure {
    const count = (this.#failure?.count ?? 0) + 1
    const boundMs = Math.min(longestWaitMs, shortestWaitMs * 2 ** Math.min(count, 10))
    const asksMs = (error.retryAfterSeconds ?? 0) * 1000
    const waitMs = Math.max(asksMs, shortestWaitMs / 2 + (boundMs - shortestWaitMs / 2) * this.#options.random())
    return { error, count, untilMs: this.#nowMs() + waitMs }
  }

  #again({ error, untilMs }: Failure): TokenSourceError {
    return new TokenSourceError(error.code, error.message, {
      ...(error.oauthError === undefined ? {} : { oauthError: error.oauthError }),
      retryAfterSeconds: Math.ceil((untilMs - this.#nowMs()) / 1000),
    })
  }

  #arm(atMs: number): void {
    this.#cancelTimer?.()
    if (!this.#options.ahead || this.#closed) return
    this.#cancelTimer = this.#options.clock.after(Math.max(0, atMs - this.#nowMs()), () => {
      // A token that nobody asked for since is renewed when somebody does.
      if (this.#used && this.leftMs > 0) this.#renewInBackground()
    })
  }

  async #sleep(ms: number): Promise<void> {
    // The clock's timers do not keep a process alive, but here somebody waits.
    const alive = setTimeout(() => undefined, longestTimerMs)
    try {
      await new Promise<void>((resolve) => this.#options.clock.after(ms, resolve))
    } finally {
      clearTimeout(alive)
    }
  }
}

/** `work`, or the signal's reason as soon as it is aborted. */
function heeding<T>(signal: AbortSignal | undefined, work: Promise<T>): Promise<T> {
  if (signal === undefined) return work
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(signal.reason)
    if (signal.aborted) return abort()
    signal.addEventListener('abort', abort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
