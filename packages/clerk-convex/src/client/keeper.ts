import type { AuthenticatedClient } from './convex-client.ts'
import { ConvexSession, type ConvexSessionListener } from './convex-session.ts'
import type { ClientAuthState, ClientAuthStatus } from './status.ts'
import type { Tabs } from './tabs.ts'
import type { TokenFacts, TokenLife } from './token.ts'
import { TokenAsker, type TokenAskerParts } from './token-asker.ts'
import { isSamePerson, type Who, whoIn } from './who.ts'

export interface KeeperParts extends TokenAskerParts {
  readonly tabs: Tabs
  readonly onWake: (call: () => void) => () => void
  /** Milliseconds. */
  readonly loadingMs: number
}

interface Held {
  readonly who: Who
  readonly facts: TokenFacts
  readonly life: TokenLife
  readonly sinceMs: number
  /** Convex took it, or the one that it was put in place of without a gap. */
  isConfirmed: boolean
  isRefused: boolean
}

/** Milliseconds between two renewals, however short tokens live. */
const leastRenewalMs = 1_000
/** Most milliseconds before a token's end that it is renewed. */
const mostAheadMs = 20_000
/** Milliseconds of life that a token must have left for a call to be sent. */
const leastLifeMs = 1_000
/** Milliseconds after which a token is worth asking for another, when the page is seen again. */
const freshForMs = 10_000

/** Keeps one client signed in as who Clerk says, for as long as Clerk says so. */
export class Keeper {
  readonly #parts: KeeperParts
  readonly #convex: ConvexSession
  readonly #convexListener: ConvexSessionListener
  readonly #asker: TokenAsker
  readonly #listeners = new Set<() => void>()
  readonly #ends: (() => void)[] = []
  /** `undefined` until Clerk knows. */
  #who: Who | 'nobody' | undefined
  #held: Held | undefined
  /** Tokens that Convex refused in a row. */
  #refusals = 0
  /** It is over, whatever the source goes on to say. */
  #endedSession: string | undefined
  #isLoadingLong = false
  #isClosed = false
  #cancelEnd: () => void = () => {}
  #status: ClientAuthStatus = Object.freeze({ state: 'loading', isRenewalFailing: false })

  constructor(client: AuthenticatedClient, parts: KeeperParts) {
    this.#parts = parts
    this.#convexListener = {
      confirmed: () => this.#confirmed(),
      refused: () => this.#refused(),
      settled: () => this.#update(),
    }
    this.#convex = ConvexSession.of(client, parts.clock, this.#convexListener)
    this.#asker = new TokenAsker(parts, {
      obtained: (who, facts, life) => this.#obtained(who, facts, life),
      over: ({ session }) => this.#end(session, true),
      failed: () => this.#update(),
      inUse: (who) => (this.#held?.who === who ? this.#held.facts.value : undefined),
    })
  }

  start(): void {
    const { source, tabs, clock, loadingMs, onWake } = this.#parts
    this.#ends.push(
      clock.after(loadingMs, () => {
        this.#isLoadingLong = true
        this.#update()
      }),
      tabs.listen((session) => this.#end(session, false)),
      onWake(() => this.look()),
      source.subscribe(() => this.#follow()),
    )
    this.#follow()
  }

  get status(): ClientAuthStatus {
    return this.#status
  }

  /** What the last try for a token threw. */
  get lastError(): unknown {
    return this.#asker.lastError
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** A call sent now is sent as who is signed in now. */
  get canCall(): boolean {
    const held = this.#live()
    return (
      !this.#isClosed &&
      held !== undefined &&
      held.life.leftMs >= leastLifeMs &&
      this.#convex.token === held.facts.value
    )
  }

  /** No token lives yet, and no try for one has failed. */
  get isUndecided(): boolean {
    const { state } = this.#status
    return !this.#isClosed && (state === 'loading' || state === 'signed-in')
  }

  /** Asks for a fresh token now, as after a sleep or a time without network. */
  look(): void {
    this.#follow()
    const who = this.#who
    if (this.#isClosed || typeof who !== 'object') return
    const held = this.#live()
    const ageMs = held === undefined ? Number.POSITIVE_INFINITY : this.#parts.clock.monotonicMs() - held.sinceMs
    const { failures, isIdle, sinceMs } = this.#asker
    // What ended while nobody looked was planned to be renewed at a time that is a sleep away.
    const isMissed = held === undefined && isIdle && failures === 0
    if (isMissed || (sinceMs >= leastRenewalMs && (failures > 0 || ageMs >= freshForMs))) this.#asker.ask(who, true)
    this.#update()
  }

  /** The one that calls are made with. */
  get token(): string | undefined {
    return this.#live()?.facts.value
  }

  /** Asks for a token that is made now, however young the one in use is. */
  renew(): void {
    if (this.#isClosed || typeof this.#who !== 'object') return
    // What is under way may be of before.
    this.#asker.reset()
    this.#asker.ask(this.#who, true)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const end of this.#ends.splice(0)) end()
    this.#asker.reset()
    this.#cancelEnd()
    this.#convex.release(this.#convexListener)
    this.#notify()
    this.#listeners.clear()
  }

  // Who is here.

  #follow(): void {
    if (this.#isClosed) return
    const seen = this.#parts.source.current()
    const before = this.#who
    const who = seen.sessionId === this.#endedSession ? 'nobody' : whoIn(seen)
    // Not loaded says nothing, neither that nobody is here nor that somebody has gone.
    if (seen.isLoaded) {
      if (who === 'nobody') this.#leave(true)
      else if (typeof before !== 'object' || !isSamePerson(before, who)) this.#enter(who)
      else if (before.org !== who.org) this.#choose(who)
      else if (before.role !== who.role || before.subject !== who.subject) this.#rename(before, who)
    }
    this.#update()
  }

  /** Somebody signs in, or takes another's place. */
  #enter(who: Who): void {
    const { owner } = this.#convex
    const isReplaced = owner !== undefined && owner !== who.session
    this.#convex.owner = who.session
    this.#held = undefined
    this.#become(who)
    if (isReplaced) this.#convex.clear()
    this.#convex.hold()
    this.#asker.ask(who, isReplaced)
  }

  /** The same person chooses another organisation. */
  #choose(who: Who): void {
    const kept = this.#held
    this.#become(who)
    // Its calls would be sent again in the name of the new organisation.
    if (this.#convex.isBusy) this.#convex.clear()
    if (kept !== undefined && !kept.isRefused && kept.who.org === who.org && kept.life.leftMs >= leastLifeMs) {
      this.#held = { ...kept, who, isConfirmed: false }
      this.#convex.use(kept.facts.value)
    } else this.#convex.hold()
    this.#asker.ask(who, true)
  }

  /** The same with another role: what lives is good until a fresh one is here. */
  #rename(before: Who, seen: Who): void {
    const who: Who = { ...seen, isEstablished: before.isEstablished, isLost: before.isLost }
    if (this.#held?.who === before) this.#held = { ...this.#held, who }
    this.#become(who)
    this.#asker.ask(who, true)
  }

  #leave(isToBeTold: boolean): void {
    const before = this.#who
    if (before === 'nobody') return
    this.#become('nobody')
    this.#held = undefined
    this.#cancelEnd()
    this.#convex.owner = undefined
    this.#convex.clear()
    if (isToBeTold && before !== undefined) this.#parts.tabs.tell(before.session)
  }

  /** A session is over for good. */
  #end(session: string, isToBeTold: boolean): void {
    if (this.#isClosed || typeof this.#who !== 'object' || this.#who.session !== session) return
    this.#endedSession = session
    this.#leave(isToBeTold)
    this.#update()
  }

  #become(who: Who | 'nobody'): void {
    this.#who = who
    this.#refusals = 0
    this.#asker.reset()
  }

  // Tokens.

  /** What a call may be made with, as far as this side can tell. */
  #live(): Held | undefined {
    const held = this.#held
    const isLive = held !== undefined && held.who === this.#who && !held.isRefused && held.life.leftMs > 0
    return isLive ? held : undefined
  }

  #obtained(who: Who, facts: TokenFacts, life: TokenLife): void {
    const { clock, random, onEvent } = this.#parts
    const isConfirmed = this.#live()?.isConfirmed === true
    this.#held = { who, facts, life, sinceMs: clock.monotonicMs(), isConfirmed, isRefused: false }
    this.#convex.use(facts.value)
    this.#cancelEnd()
    this.#cancelEnd = clock.after(life.leftMs, () => this.#update())
    // Earlier by chance, so that those who came together do not renew together.
    const aheadMs = Math.min(mostAheadMs, life.wholeMs / 3) * (0.75 + 0.25 * random())
    this.#asker.plan(who, true, Math.max(leastRenewalMs, life.leftMs - aheadMs))
    onEvent({ type: 'token_renewed', expiresAt: facts.expiresAt })
    this.#update()
  }

  #confirmed(): void {
    const held = this.#held
    if (held === undefined || held.who !== this.#who || this.#convex.token !== held.facts.value) return
    held.isConfirmed = true
    held.isRefused = false
    held.who.isEstablished = true
    held.who.isLost = false
    this.#update()
  }

  #refused(): void {
    const held = this.#held
    const { clock, onEvent } = this.#parts
    if (held === undefined || held.isRefused || this.#convex.token !== held.facts.value) return
    held.isRefused = true
    const ageMs = clock.monotonicMs() - held.sinceMs
    this.#refusals = ageMs >= freshForMs ? 1 : this.#refusals + 1
    onEvent({ type: 'token_refused', refusals: this.#refusals })
    // The first may have ended, or be signed with a key that went; if the next are refused too, it is not the token.
    const inMs = this.#refusals === 1 ? 0 : leastRenewalMs + this.#asker.pauseMs(this.#refusals)
    this.#asker.plan(held.who, true, inMs)
    this.#update()
  }

  // What is told.

  #update(): void {
    if (this.#isClosed) return
    const before = this.#status
    const who = typeof this.#who === 'object' ? this.#who : undefined
    const expiresAt = who !== undefined && this.#held?.who === who ? this.#held.facts.expiresAt : undefined
    const status: ClientAuthStatus = {
      state: this.#state(),
      ...(who === undefined ? {} : { session: who.session }),
      ...(who?.subject === undefined ? {} : { subject: who.subject }),
      ...(typeof who?.org !== 'string' ? {} : { org: who.org }),
      ...(expiresAt === undefined ? {} : { expiresAt }),
      isRenewalFailing: this.#asker.failures > 0,
    }
    const isSame = statusNames.every((name) => before[name] === status[name])
    if (!isSame) this.#status = Object.freeze(status)
    if (before.state !== status.state) this.#parts.onEvent({ type: 'state', from: before.state, to: status.state })
    // A call that waits may be possible now without anything to show for it.
    if (!isSame || this.canCall) this.#notify()
  }

  #notify(): void {
    for (const listener of [...this.#listeners]) listener()
  }

  #state(): ClientAuthState {
    const who = this.#who
    if (who === 'nobody') return 'signed-out'
    if (who === undefined) return this.#isLoadingLong ? 'unavailable' : 'loading'
    const held = this.#live()
    if (held === undefined ? this.#asker.failures > 0 || this.#refusals > 1 : this.#refusals > 1) who.isLost = true
    if (held?.isConfirmed === true) who.isLost = false
    if (who.isEstablished) return who.isLost ? 'degraded' : 'signed-in'
    return who.isLost ? 'unavailable' : 'loading'
  }
}

const statusNames = ['state', 'session', 'subject', 'org', 'expiresAt', 'isRenewalFailing'] as const
