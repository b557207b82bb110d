import type { Clock } from '@countersign/tokens'
import { retryDelayMs } from './backoff.ts'
import { type ClerkSource, isSessionEnd } from './source.ts'
import type { ClientAuthEvent, RenewalFailure } from './status.ts'
import { readToken, type TokenFacts, TokenLife } from './token.ts'
import type { Who } from './who.ts'

export interface TokenAskerParts {
  readonly source: ClerkSource
  readonly template: string | undefined
  readonly clock: Clock
  /** 0 to 1. */
  readonly random: () => number
  readonly onEvent: (event: ClientAuthEvent) => void
}

export interface TokenAskerListener {
  obtained(who: Who, facts: TokenFacts, life: TokenLife): void
  /** Clerk said that this session is over. */
  over(who: Who): void
  failed(): void
  /** The token that is used now, which would be no renewal. */
  inUse(who: Who): string | undefined
}

interface Attempt {
  readonly who: Who
  readonly isFresh: boolean
  readonly abort: AbortController
  readonly startedMs: number
  /** It was counted as a failure, and another one was begun beside it. */
  isOverdue: boolean
  cancelPatience(): void
}

const defaultPatienceMs = 2_500
/** Calls under way at once; the oldest is given up for one more. */
const mostAttempts = 4

/** Asks for tokens until there is one, at a bounded pace: two tries are never further apart than 2.5 s, or its patience. */
export class TokenAsker {
  readonly #parts: TokenAskerParts
  readonly #listener: TokenAskerListener
  readonly #attempts = new Set<Attempt>()
  #cancelNext: () => void = () => {}
  #lastMs = Number.NEGATIVE_INFINITY
  #failures = 0
  #lastError: unknown

  constructor(parts: TokenAskerParts, listener: TokenAskerListener) {
    this.#parts = parts
    this.#listener = listener
  }

  /** In a row. */
  get failures(): number {
    return this.#failures
  }

  get lastError(): unknown {
    return this.#lastError
  }

  /** Nothing is under way; what is planned may be a sleep away. */
  get isIdle(): boolean {
    return this.#attempts.size === 0
  }

  /** Milliseconds since the last try began. */
  get sinceMs(): number {
    return this.#parts.clock.monotonicMs() - this.#lastMs
  }

  /** Milliseconds to leave between tries that bring what is of no use. */
  pauseMs(tries: number): number {
    return retryDelayMs(tries, this.#parts.random)
  }

  /** Forgets what is under way and planned, and past failures. */
  reset(): void {
    this.#cancelNext()
    for (const attempt of [...this.#attempts]) this.#giveUp(attempt)
    this.#failures = 0
    this.#lastError = undefined
  }

  /** @param isFresh one that is made now, for which no cache will do */
  plan(who: Who, isFresh: boolean, inMs: number): void {
    this.#cancelNext()
    this.#cancelNext = this.#parts.clock.after(inMs, () => this.ask(who, isFresh))
  }

  ask(who: Who, isFresh: boolean): void {
    this.#cancelNext()
    const { source, clock, template } = this.#parts
    const [oldest] = this.#attempts
    if (oldest !== undefined && this.#attempts.size >= mostAttempts) this.#giveUp(oldest)
    const abort = new AbortController()
    const startedMs = clock.monotonicMs()
    this.#lastMs = startedMs
    const attempt: Attempt = { who, isFresh, abort, startedMs, isOverdue: false, cancelPatience: () => {} }
    this.#attempts.add(attempt)
    attempt.cancelPatience = clock.after(source.patienceMs ?? defaultPatienceMs, () => {
      attempt.isOverdue = true
      this.#fail(attempt, 'slow')
    })
    const options = { skipCache: isFresh, signal: abort.signal, ...(template === undefined ? {} : { template }) }
    // A `getToken` that throws at once is no different.
    new Promise<string | null | undefined>((resolve) => resolve(source.getToken(options))).then(
      (value) => this.#answered(attempt, value),
      (error: unknown) => this.#rejected(attempt, error),
    )
  }

  #answered(attempt: Attempt, value: string | null | undefined): void {
    if (!this.#forget(attempt)) return
    const facts = typeof value === 'string' ? readToken(value) : undefined
    if (facts === undefined) {
      this.#missed(attempt, typeof value === 'string' && value !== '' ? 'unreadable' : 'no_token')
      return
    }
    const life = new TokenLife(facts, attempt.isFresh, this.#parts.clock)
    const fault = this.#faultOf(attempt.who, facts, life)
    if (fault === undefined) {
      this.reset()
      this.#listener.obtained(attempt.who, facts, life)
    } else if (attempt.isFresh) this.#missed(attempt, fault)
    // What came out of a cache may be of before.
    else this.ask(attempt.who, true)
  }

  #faultOf(who: Who, facts: TokenFacts, life: TokenLife): RenewalFailure | undefined {
    const differs = (said: string | undefined, wanted: string | null | undefined): boolean =>
      said !== undefined && wanted !== undefined && said !== wanted
    if (differs(facts.subject, who.subject) || differs(facts.session, who.session)) return 'foreign'
    if (differs(facts.organization, who.org)) return 'foreign'
    if (life.leftMs <= 0) return 'ended'
    return this.#listener.inUse(who) === facts.value ? 'stale' : undefined
  }

  #rejected(attempt: Attempt, error: unknown): void {
    if (!this.#forget(attempt)) return
    this.#lastError = error
    if (isSessionEnd(error)) this.#listener.over(attempt.who)
    else this.#missed(attempt, 'error')
  }

  /** One that was slow was counted, and is followed by another. */
  #missed(attempt: Attempt, reason: RenewalFailure): void {
    if (!attempt.isOverdue) this.#fail(attempt, reason)
  }

  #fail({ who, startedMs }: Attempt, reason: RenewalFailure): void {
    const { clock, random, onEvent } = this.#parts
    this.#failures += 1
    // From the beginning of a try to that of the next: one that takes its time to fail makes nobody wait twice.
    const retryInMs = Math.max(0, startedMs + retryDelayMs(this.#failures, random) - clock.monotonicMs())
    this.plan(who, true, retryInMs)
    onEvent({ type: 'renewal_failed', failures: this.#failures, reason, retryInMs })
    this.#listener.failed()
  }

  #giveUp(attempt: Attempt): void {
    this.#forget(attempt)
    attempt.abort.abort()
  }

  /** False if it was forgotten before. */
  #forget(attempt: Attempt): boolean {
    attempt.cancelPatience()
    return this.#attempts.delete(attempt)
  }
}
