import type { PrincipalEnd } from '@countersign/guard'
import type { Principal } from '@countersign/tokens'
import { type CloseReason, closeCodes } from '../close-codes.ts'
import { subprotocol } from '../frames.ts'
import type { Connection } from './connection.ts'
import { callGuarded } from './dispatch.ts'
import { onDue } from './due.ts'
import { errorFrame } from './error-frame.ts'
import type { DropCause, SocketState } from './events.ts'
import { Extras } from './extras.ts'
import type { SessionHost } from './host.ts'
import { plan } from './plan.ts'
import { receiveBinary, receivePing, receivePong, receiveText } from './receive.ts'
import type { Scheduled } from './schedule.ts'
import { sendError } from './send.ts'
import { SessionConnection } from './session-connection.ts'
import { stopSubscriptions } from './subscriptions.ts'
import type { Transport } from './transport.ts'

/** An authentication that is waited for. */
export interface Verification {
  /** Of the frame that asked for it. */
  readonly id: string | undefined
  readonly startMs: number
}

/**
 * One socket and its states: pending → verifying → ready → draining → closed. Nothing reaches the application but in
 * `ready`, and nothing is sent to the peer after; both are looked up at each frame, since a socket goes on delivering
 * after it was told to close. What happens to frames, tokens and time in each state is said beside this file, in
 * functions that take the session.
 *
 * Every field costs each of ten thousand sockets eight bytes.
 */
export class Session<Scope extends string = string> implements Scheduled {
  dueMs = 0
  heapIndex = -1
  readonly core: SessionHost<Scope>
  readonly transport: Transport
  state: SocketState = 'pending'
  principal: Principal | undefined = undefined
  /** The one that is waited for; an older one's answer no longer counts. */
  verification: Verification | undefined = undefined
  /** Messages whose handlers have not finished. */
  inFlight = 0
  // Milliseconds of the schedule's clock, 0 for never.
  readonly openedMs: number
  /** The end of the token on a clock that nobody sets: a wall clock that is set back lengthens no connection. */
  expiresMs = 0
  refreshDueMs = 0
  pingDueMs = 0
  pongDueMs = 0
  reauthFromMs = 0
  /** Messages that may come at once, and as of when. */
  allowance: number
  allowanceMs: number
  readonly #number: number
  #stopWatch: (() => void) | undefined = undefined
  #extras: Extras | undefined = undefined
  #connection: Connection<Scope> | undefined = undefined

  constructor(core: SessionHost<Scope>, transport: Transport, number: number) {
    this.core = core
    this.transport = transport
    this.#number = number
    this.openedMs = core.schedule.nowMs()
    this.allowance = core.limits.burst
    this.allowanceMs = this.openedMs
  }

  get sid(): string {
    return this.core.nameOf(this.#number)
  }

  /** Whether it speaks `wsauth.v1` with its control frames; else the plain form, or a foreign protocol. */
  get speaksControl(): boolean {
    return this.transport.protocol === subprotocol
  }

  /** Whether its frames are ours to read, in the plain form too. */
  get isOurs(): boolean {
    return !this.core.options.envelopes.has(this.transport.protocol)
  }

  get isLeaving(): boolean {
    return this.#extras?.leaveDueMs !== undefined
  }

  /** What it has of what few have, if anything. */
  get extras(): Extras | undefined {
    return this.#extras
  }

  makeExtras(): Extras {
    this.#extras ??= new Extras()
    return this.#extras
  }

  /** As the application meets it; always the same one. */
  get connection(): Connection<Scope> {
    this.#connection ??= new SessionConnection<Scope>(this)
    return this.#connection
  }

  start(): void {
    const { core, transport } = this
    core.report({ type: 'state', sid: this.sid, to: 'pending' })
    if (this.speaksControl) transport.sendFrame(core.authRequired)
    if (core.speaks(transport.protocol)) plan(this)
    else this.end('subprotocol')
  }

  receiveText(text: string): void {
    receiveText(this, text)
  }

  receiveBinary(bytes: Uint8Array): void {
    receiveBinary(this, bytes)
  }

  receivePing(data: Uint8Array): void {
    receivePing(this, data)
  }

  receivePong(): void {
    receivePong(this)
  }

  onDue(nowMs: number): void {
    onDue(this, nowMs)
  }

  enter(state: SocketState): void {
    const from = this.state
    this.state = state
    this.core.report({ type: 'state', sid: this.sid, from, to: state })
  }

  /** A frame that the application does not get. */
  drop(frames = 1): void {
    this.makeExtras().dropped += frames
  }

  /** Watches for the end of the principal, instead of an earlier one's. False where nobody can: it is the end then. */
  watch(principal: Principal): boolean {
    this.#stopWatch?.()
    this.#stopWatch = undefined
    try {
      // A bound function takes half of what a closure takes.
      this.#stopWatch = this.core.watch(principal, this.principalEnded.bind(this))
      return true
    } catch (cause) {
      // Such as a guard that was closed before its sockets.
      this.core.report({ type: 'fault', sid: this.sid, cause })
      this.principalEnded({ reason: 'stale' })
      return false
    }
  }

  principalEnded({ reason }: PrincipalEnd): void {
    const why = reason === 'stale' ? 'unavailable' : reason
    if (this.state === 'draining') this.#sayClose(closeCodes[why], why)
    else this.end(why)
  }

  /**
   * The guard says at a frame what it has not told yet, such as after a machine slept: nothing goes in or out from here
   * on, and a new watch says why.
   */
  principalIsOver(): void {
    const { principal } = this
    if (principal === undefined || (this.state !== 'ready' && this.state !== 'verifying')) return
    this.drop()
    this.#drain()
    this.watch(principal)
  }

  // ---- the end

  /** @param retryAfterSeconds said before, to whoever is being authenticated and understands it */
  end(reason: CloseReason, retryAfterSeconds?: number): void {
    if (retryAfterSeconds !== undefined && this.speaksControl && this.state === 'verifying') {
      // Nobody is authenticated, so that `send` would not.
      const frame = errorFrame(undefined, reason, 'backoff', retryAfterSeconds * 1000)
      this.transport.sendFrame(JSON.stringify(frame))
    }
    this.shut(closeCodes[reason], reason)
  }

  shut(code: number, reason: string): void {
    if (this.state === 'draining' || this.state === 'closed') return
    // From here on nothing is taken and nothing is sent, in this very call: the socket itself goes on delivering.
    this.#drain()
    this.#sayClose(code, reason)
  }

  /** Stops taking messages; closes with 1001 once those in hand are answered, or `graceMs` are over. */
  leave(graceMs: number, retryAfterMs: number): void {
    if (this.state === 'ready' && !this.isLeaving) {
      sendError(this, undefined, 'going_away', 'backoff', retryAfterMs)
      this.makeExtras().leaveDueMs = this.core.schedule.nowMs() + graceMs
      if (this.inFlight > 0 && graceMs > 0) plan(this)
      else this.shut(1001, 'going away')
    } else if (this.state === 'pending' || this.state === 'verifying') this.shut(1001, 'going away')
  }

  /** Makes room at once: a close handshake would hold the very descriptor that is needed. */
  evict(): void {
    this.core.report({ type: 'evicted', sid: this.sid })
    this.makeExtras().closeCode = closeCodes.auth_timeout
    this.enter('draining')
    this.#release()
    this.transport.destroyNow()
  }

  /** The bytes before authentication are used up, or are none that may come then. */
  overBudget(reason: 'budget' | 'malformed'): void {
    this.end(reason)
    // What else is on its way stays with the kernel until the connection ends.
    this.transport.stopReading()
  }

  /** The socket is closing without us: by the peer's close frame, or a frame that the library refused. */
  peerIsClosing(): void {
    if (this.state !== 'draining' && this.state !== 'closed') this.#drain()
  }

  /** The TCP connection is gone. */
  closed(code: number): void {
    if (this.state === 'closed') return
    const wasDraining = this.state === 'draining'
    this.enter('closed')
    if (!wasDraining) this.#release()
    this.#stopWatch?.()
    this.core.forget(this)
    const { sid } = this
    const { closeCode = 0, dropped = 0, onClose = [] }: Partial<Extras> = this.#extras ?? {}
    if (dropped > 0) this.core.report({ type: 'dropped', sid, cause: causeOf(closeCode), frames: dropped })
    const isOurs = closeCode !== 0
    const lastCode = isOurs ? closeCode : code
    this.core.report({ type: 'closed', sid, code: lastCode, by: isOurs ? 'server' : 'client' })
    for (const call of onClose) callGuarded(this, () => call(lastCode))
    this.#extras = undefined
  }

  /** The end is near, whatever the peer does. */
  #drain() {
    this.enter('draining')
    this.#release()
    this.core.schedule.set(this, this.core.schedule.nowMs() + this.core.limits.closeMs)
  }

  #sayClose(code: number, reason: string) {
    this.makeExtras().closeCode = code
    this.transport.closeFrame(code, reason)
  }

  /** Gives back what it holds of what is shared; once, on leaving the states before draining. */
  #release() {
    this.#stopWatch?.()
    this.#stopWatch = undefined
    this.verification = undefined
    this.core.noLongerPending(this)
    if (this.principal !== undefined) this.core.givePlaceBack(this.principal)
    const backlog = this.#extras?.backlog
    if (backlog !== undefined) this.drop(backlog.splice(0).length)
    stopSubscriptions(this, () => true)
  }
}

function causeOf(code: number): DropCause {
  for (const [reason, closeCode] of Object.entries(closeCodes)) if (closeCode === code) return reason as CloseReason
  return code === 1001 ? 'going_away' : 'other'
}
