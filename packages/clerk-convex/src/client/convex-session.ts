import type { Clock } from '@countersign/tokens'
import type { AuthenticatedClient } from './convex-client.ts'

export interface ConvexSessionListener {
  /** Convex took the token in use. */
  confirmed(): void
  /** Convex did not take the token in use, or takes it no longer. */
  refused(): void
  /** What was asked for a while ago is in use now. */
  settled(): void
}

interface Wanted {
  readonly kind: 'nobody' | 'held' | 'token'
  readonly token?: string
}

/** One `setAuth`. */
interface Turn {
  wanted: Wanted
  /** Convex took the token. */
  isConfirmed: boolean
  /** The client asked for a fresh token after the confirmation, as it does once, and got the same. */
  isFollowed: boolean
  /** The first answer was none, and the token is for the question that follows. */
  isLate: boolean
  /** Answers the client's first question, for which it has paused its socket. */
  answer: ((token: string | null) => void) | undefined
  /** Answers null to what the client asked later, once it does not listen any more. */
  readonly later: Deferred
}

const sessions = new WeakMap<AuthenticatedClient, ConvexSession>()

/**
 * Tells a real Convex client who is here. The client's own renewal is never let run: it clears who is signed in when a
 * token cannot be had, and stops renewing when it is given the one that still lives. Here it is given each token by a
 * `setAuth` of its own. When it asks for a better one than it has, it waits: its socket stays closed meanwhile, and the
 * last results stay.
 *
 * One for each client, since the client has but one socket to pause: a `setAuth` while it is paused by another one
 * before its first connection would leave it mute.
 */
export class ConvexSession {
  readonly #client: AuthenticatedClient
  #clock: Clock
  #listener: ConvexSessionListener | undefined
  #turn: Turn | undefined
  #wanted: Wanted | undefined
  /** What is wanted is for another person, or calls of the last organisation are under way: nobody comes first. */
  #mustClear = false
  /** The client is at work on the last step. */
  #isSettling = false
  /** Whose session the client is in, or was last: Clerk's id. */
  owner: string | undefined

  private constructor(client: AuthenticatedClient, clock: Clock) {
    this.#client = client
    this.#clock = clock
  }

  static of(client: AuthenticatedClient, clock: Clock, listener: ConvexSessionListener): ConvexSession {
    const session = sessions.get(client) ?? new ConvexSession(client, clock)
    sessions.set(client, session)
    session.#clock = clock
    session.#listener = listener
    return session
  }

  /** The token that the client is signed in with, whether or not Convex has answered. */
  get token(): string | undefined {
    return this.#mustClear ? undefined : this.#turn?.wanted.token
  }

  /** True when calls are still to be sent or answered. */
  get isBusy(): boolean {
    const { isWebSocketConnected, inflightMutations, inflightActions } = this.#client.connectionState()
    return inflightMutations > 0 || (inflightActions > 0 && !isWebSocketConnected)
  }

  /** Signs in with a token, also in place of another one of the same person. */
  use(token: string): void {
    this.#want({ kind: 'token', token })
  }

  /** Lets the client wait for a token: it sends nothing, and what was shown stays. */
  hold(): void {
    this.#want({ kind: 'held' })
  }

  /**
   * Signs out. What follows waits until Convex has it, and until no mutation is on its way that the next person would
   * be taken for the sender of: Convex's client sends again what it could not send, whoever is signed in by then.
   */
  clear(): void {
    this.#mustClear = true
    this.#want({ kind: 'nobody' })
  }

  /** Changes nothing at once: who is signed in stays so until the token's end, and is nobody then. */
  release(listener: ConvexSessionListener): void {
    if (this.#listener !== listener) return
    this.#listener = undefined
    // Unless another one takes over, as in React's strict mode.
    this.#clock.after(0, () => {
      if (this.#listener !== undefined || this.#turn === undefined) return
      this.#turn.answer?.(null)
      this.#turn.later.resolve(null)
    })
  }

  #want(wanted: Wanted): void {
    this.#wanted = wanted
    this.#apply()
  }

  #apply(): void {
    const wanted = this.#wanted
    if (this.#isSettling || wanted === undefined) return
    if (this.#mustClear) {
      this.#signOut()
      return
    }
    const turn = this.#turn
    const isSame = turn?.wanted.kind === wanted.kind && turn.wanted.token === wanted.token
    if (isSame && (wanted.kind !== 'held' || turn.answer !== undefined)) return
    if (turn?.answer === undefined) this.#begin(wanted)
    else this.#answerFirst(turn, wanted)
    if (wanted.kind !== 'held') this.#settle(() => this.#settled())
  }

  #signOut(): void {
    const before = this.#turn
    this.#mustClear = false
    // While the client is paused this is lost; otherwise it comes before everything else.
    this.#clearAuth()
    // A confirmation under way would sign in again by what it fetches next: this ends it.
    if (before?.answer === undefined) this.#begin({ kind: 'nobody' })
    else this.#answerFirst(before, { kind: 'nobody' })
    this.#settle(() => {
      // The client has gone on, and tells it if it was lost.
      if (before?.isConfirmed !== true) this.#clearAuth()
      this.#drain()
    })
  }

  /** The client goes on by itself, in steps that no timer is between. */
  #settle(then: () => void): void {
    this.#isSettling = true
    this.#clock.after(0, then)
  }

  #settled(): void {
    this.#isSettling = false
    this.#apply()
    this.#listener?.settled()
  }

  #drain(): void {
    if (!this.isBusy) {
      this.#settled()
      return
    }
    const stop = this.#client.subscribeToConnectionState(() => {
      if (this.isBusy) return
      stop()
      this.#settled()
    })
  }

  #begin(wanted: Wanted): void {
    const before = this.#turn
    const later = new Deferred()
    const turn: Turn = { wanted, isConfirmed: false, isFollowed: false, isLate: false, answer: undefined, later }
    this.#turn = turn
    this.#client.setAuth(
      ({ forceRefreshToken }) => this.#fetch(turn, forceRefreshToken),
      (isAuthenticated) => {
        if (!isAuthenticated || this.#turn !== turn) return
        turn.isConfirmed = true
        this.#listener?.confirmed()
      },
    )
    before?.later.resolve(null)
  }

  #answerFirst(turn: Turn, wanted: Wanted): void {
    turn.wanted = wanted
    if (wanted.kind === 'held') return
    turn.answer?.(this.#first(turn))
    turn.answer = undefined
  }

  async #fetch(turn: Turn, isForced: boolean): Promise<string | null> {
    if (this.#turn !== turn || turn.wanted.kind === 'nobody') return null
    if (!isForced) {
      if (turn.wanted.token !== undefined) return this.#first(turn)
      const first = new Deferred()
      turn.answer = first.resolve
      return first.promise
    }
    if (turn.isLate) {
      turn.isLate = false
      return turn.wanted.token ?? null
    }
    // The client asks just before it tells that the token is confirmed.
    await Promise.resolve()
    if (this.#turn !== turn) return null
    if (turn.isConfirmed && !turn.isFollowed) {
      turn.isFollowed = true
      // The same one again: the client then leaves the renewal to us.
      return turn.wanted.token ?? null
    }
    if (this.#listener === undefined) return null
    this.#listener.refused()
    return turn.later.promise
  }

  /** The token, to a client with a socket. One that is closed is opened again only if there was none at first. */
  #first(turn: Turn): string | null {
    const { token } = turn.wanted
    const { isWebSocketConnected, hasEverConnected } = this.#client.connectionState()
    // What never had a socket has not closed one.
    if (token === undefined || isWebSocketConnected || !hasEverConnected) return token ?? null
    turn.isLate = true
    // A client that thinks that it is signed in does not tell that it is.
    this.#clearAuth()
    return null
  }

  #clearAuth(): void {
    if (this.#client.clearAuth !== undefined) this.#client.clearAuth()
    else this.#client.client?.clearAuth()
  }
}

class Deferred {
  readonly promise: Promise<string | null>
  resolve: (value: string | null) => void = () => {}

  constructor() {
    this.promise = new Promise((resolve) => {
      this.resolve = resolve
    })
  }
}
