// One file because a socket's states, and what may happen in each, are read together.

import type { Decision } from '@countersign/guard'
import type { Principal } from '@countersign/tokens'
import { type CloseReason, closeCodes, type Retry } from '../close-codes.ts'
import { WebSocketError } from '../errors.ts'
import { type AuthOkFrame, isReservedType, type RefreshReason, subprotocol } from '../frames.ts'
import { type ReadFrame, readFrame } from '../read-frame.ts'
import type { Connection } from './connection.ts'
import { closeReasonOf, resultOf } from './denial.ts'
import type { AuthFailure, DropCause, SocketState } from './events.ts'
import type { SessionHost } from './host.ts'
import { isSameIdentity } from './identity.ts'
import { checkType } from './message-type.ts'
import { refreshInMs } from './refresh.ts'
import type { Scheduled } from './schedule.ts'
import type { Transport } from './transport.ts'

/** What few sessions have, kept apart so that the others do not pay for it. */
interface Extras {
  onFrame?: (frame: string | Uint8Array) => void
  onClose?: ((code: number) => void)[]
  /** What goes on only while its scopes are held. */
  subscriptions?: Set<{ readonly scopes: readonly string[]; readonly stop: () => void }>
  /** Messages that came while as many as may be were in hand. */
  backlog?: ReadFrame[]
  /** Of a foreign protocol, until the application has it. */
  firstFrame?: string
  /** When messages in hand have had their time. */
  leaveDueMs?: number
}

interface Verification {
  /** Of the frame that asked for it. */
  readonly id: string | undefined
  readonly startMs: number
}

/** Milliseconds that a client is asked to wait where nobody can say yet. */
const unavailableRetryMs = 5000

/**
 * One socket: pending → verifying → ready → draining → closed. Nothing reaches the application but in `ready`, and
 * nothing is sent to the peer after; both are looked up at each frame, since a socket goes on delivering after it was
 * told to close.
 */
export class Session<Scope extends string = string> implements Scheduled, Connection<Scope> {
  dueMs = 0
  heapIndex = -1
  readonly protocol: string
  readonly #core: SessionHost<Scope>
  readonly #transport: Transport
  readonly #number: number
  readonly #isOurs: boolean
  #address: string
  #state: SocketState = 'pending'
  #principal: Principal | undefined
  #stopWatch: (() => void) | undefined
  #extras: Extras | undefined
  /** The one that is waited for; an older one's answer no longer counts. */
  #verification: Verification | undefined
  #isLeaving = false
  #hasPlace = false
  #inFlight = 0
  #dropped = 0
  #closeCode = 0
  // Milliseconds of the schedule's clock, 0 for never.
  readonly #openedMs: number
  #refreshDueMs = 0
  #pingDueMs = 0
  #pongDueMs = 0
  #slowDueMs = 0
  #reauthFromMs = 0
  #allowance: number
  #allowanceMs: number

  constructor(
    core: SessionHost<Scope>,
    transport: Transport,
    protocol: string,
    address: string,
    number: number,
    isOurs: boolean,
  ) {
    this.#core = core
    this.#transport = transport
    this.protocol = protocol
    this.#address = address
    this.#number = number
    this.#isOurs = isOurs
    this.#openedMs = core.schedule.nowMs()
    this.#allowance = core.limits.burst
    this.#allowanceMs = this.#openedMs
  }

  get sid(): string {
    return this.#core.nameOf(this.#number)
  }

  get state(): SocketState {
    return this.#state
  }

  get isOpen(): boolean {
    return this.#state === 'ready'
  }

  get principal(): Principal {
    if (this.#principal === undefined) throw new WebSocketError('closed', 'The connection is not authenticated.')
    return this.#principal
  }

  start(): void {
    this.#core.report({ type: 'state', sid: this.sid, to: 'pending' })
    if (this.protocol === subprotocol && this.#isOurs) this.#transport.sendFrame(this.#core.authRequired)
    if (this.#core.speaks(this.protocol)) this.#plan()
    else this.#end('subprotocol')
  }

  // ---- frames in

  receiveText(text: string): void {
    if (this.#state === 'ready') this.#receiveReady(text)
    else if (this.#state === 'pending') this.#receiveFirst(text)
    else if (this.#state === 'verifying') {
      // One authentication at a time, and nothing else before its answer.
      this.#end(this.#isOurs && isAuth(text, this.#core.limits.preAuthDepth) ? 'second_auth' : 'malformed')
    } else this.#dropped += 1
  }

  receiveBinary(bytes: Uint8Array): void {
    if (this.#state === 'draining' || this.#state === 'closed') this.#dropped += 1
    else if (this.#state !== 'ready' || this.#core.options.messages !== undefined) this.#end('malformed')
    else if (this.#takeAllowance()) this.#deliver(bytes)
  }

  receivePing(data: Uint8Array): void {
    // Before authentication nothing is answered, and nothing extends the deadline.
    if (this.#state !== 'ready' || !this.#takeAllowance()) return
    this.#transport.sendPong(data)
    this.#lookAtBuffer()
  }

  receivePong(): void {
    if (this.#state === 'ready') this.#takeAllowance()
  }

  #receiveFirst(text: string) {
    const { tokenLength } = this.#core.limits
    const credentials = this.#isOurs ? this.#readAuth(text) : this.#readForeign(text)
    if (credentials === undefined || credentials.token === '' || credentials.token.length > tokenLength) {
      return this.#end('malformed')
    }
    this.#enter('verifying')
    this.#verify(credentials.token, credentials.id)
  }

  #readAuth(text: string): { token: string; id: string | undefined } | undefined {
    const frame = readFrame(text, this.#core.limits.preAuthDepth)
    return frame === undefined ? undefined : tokenOf(frame)
  }

  #readForeign(text: string): { token: string; id: string | undefined } | undefined {
    try {
      const token = this.#core.options.envelopes.get(this.protocol)?.readToken(text)
      if (typeof token !== 'string') return undefined
      this.#getExtras().firstFrame = text
      return { token, id: undefined }
    } catch (cause) {
      // A frame that its reader cannot read is the client's fault as often as ours.
      this.#fault(cause)
      return undefined
    }
  }

  #receiveReady(text: string) {
    if (this.#isLeaving) {
      this.#dropped += 1
      return
    }
    if (!this.#takeAllowance()) return
    if (!this.#isOurs) return this.#deliver(text)
    const { messages } = this.#core.options
    const frame = readFrame(text, this.#core.limits.messageDepth)
    if (frame !== undefined && isReservedType(frame.type)) return this.#receiveControl(frame)
    if (messages === undefined) return this.#deliver(text)
    if (frame === undefined) return this.#end('malformed')
    if (this.#inFlight < this.#core.limits.inFlight) return this.#dispatch(frame)
    // Reading stops, but what came in the same segment is here already.
    const extras = this.#getExtras()
    extras.backlog ??= []
    extras.backlog.push(frame)
  }

  #receiveControl(frame: ReadFrame) {
    const { type, id, members } = frame
    if (type === 'ping') {
      const { n } = members
      if (!Number.isSafeInteger(n)) return this.#end('malformed')
      this.#send({ type: 'pong', n })
    } else if (type === 'auth') {
      const credentials = tokenOf(frame)
      if (credentials === undefined || credentials.token.length > this.#core.limits.tokenLength) {
        return this.#end('malformed')
      }
      if (this.#verification !== undefined) return this.#end('second_auth')
      const nowMs = this.#core.schedule.nowMs()
      if (nowMs < this.#reauthFromMs) {
        this.#reportReauth('denied', 'too_soon')
        return this.#sendError(id, 'too_soon', 'backoff', this.#reauthFromMs - nowMs)
      }
      this.#verify(credentials.token, id)
    } else if (type !== 'pong' && type !== 'error') {
      this.#end('malformed')
    }
  }

  #takeAllowance(): boolean {
    const { burst, messagesPerSecond } = this.#core.limits
    const nowMs = this.#core.schedule.nowMs()
    // Whatever comes shows that the peer is there.
    this.#pongDueMs = 0
    const regained = ((nowMs - this.#allowanceMs) * messagesPerSecond) / 1000
    if (regained >= 1) {
      const whole = Math.floor(regained)
      this.#allowance = Math.min(burst, this.#allowance + whole)
      this.#allowanceMs =
        this.#allowance === burst ? nowMs : this.#allowanceMs + Math.floor((whole * 1000) / messagesPerSecond)
    }
    if (this.#allowance < 1) {
      this.#end('rate')
      return false
    }
    this.#allowance -= 1
    return true
  }

  // ---- to the application

  #deliver(frame: string | Uint8Array) {
    if (!this.#core.permits(this.principal)) return this.#principalIsOver()
    this.#guarded(() => this.#extras?.onFrame?.(frame))
  }

  #dispatch({ type, id, members }: ReadFrame) {
    const { principal } = this
    const scopes = this.#core.options.messages?.get(type)
    const handler = this.#core.handlers.get(type)
    if (scopes === undefined || handler === undefined || !this.#core.permits(principal, scopes)) {
      return this.#deny(principal, scopes, handler === undefined, id)
    }
    let work: void | Promise<void>
    try {
      work = handler({
        type,
        data: members.data,
        principal,
        connection: this,
        reply: (answer) => {
          checkType(answer.type)
          return this.#send(id === undefined ? answer : { ...answer, id })
        },
        refuse: (code, retry = 'never') => this.#send(errorFrame(id, code, retry)),
      })
    } catch (cause) {
      return this.#failed(cause, type, id)
    }
    if (!(work instanceof Promise)) return
    this.#inFlight += 1
    if (this.#inFlight === this.#core.limits.inFlight) this.#transport.stopReading()
    work.then(
      () => this.#handled(),
      (cause: unknown) => {
        this.#failed(cause, type, id)
        this.#handled()
      },
    )
  }

  /** Says why a message does not reach its handler; the end of the principal is more than that. */
  #deny(principal: Principal, scopes: readonly Scope[] | undefined, isUnknown: boolean, id: string | undefined) {
    if (!this.#core.permits(principal)) return this.#principalIsOver()
    if (scopes === undefined || isUnknown) return this.#sendError(id, 'unknown_type', 'never')
    // Whoever has them is kept waiting by late revocation news; what a monitor's token says is not what it has.
    if (this.#core.holds(principal, scopes)) this.#sendError(id, 'unavailable', 'backoff', unavailableRetryMs)
    else this.#sendError(id, 'insufficient_scope', 'never')
  }

  #handled() {
    this.#inFlight -= 1
    if (this.#isLeaving && this.#inFlight === 0) return this.#shut(1001, 'going away')
    const { inFlight } = this.#core.limits
    const backlog = this.#extras?.backlog
    while (backlog !== undefined && backlog.length > 0 && this.#inFlight < inFlight) {
      const next = backlog.shift()
      if (next === undefined) break
      if (this.#state === 'ready' && !this.#isLeaving) this.#dispatch(next)
      else this.#dropped += 1
    }
    if (this.#inFlight === inFlight - 1 && this.#state === 'ready') this.#transport.goOnReading()
  }

  #failed(cause: unknown, message: string, id: string | undefined) {
    this.#core.report({ type: 'fault', sid: this.sid, message, cause })
    this.#sendError(id, 'internal', 'backoff')
  }

  /** Runs the application's code, whose faults must not end other sockets. */
  #guarded(call: () => void) {
    try {
      call()
    } catch (cause) {
      this.#fault(cause)
    }
  }

  #fault(cause: unknown) {
    this.#core.report({ type: 'fault', sid: this.sid, cause })
  }

  // ---- authentication

  #verify(token: string, id: string | undefined, settled: () => void = () => {}) {
    const verification = { id, startMs: this.#core.schedule.nowMs() }
    this.#verification = verification
    this.#plan()
    this.#core.admit(token).then(
      (decision) => {
        if (this.#isWaitingFor(verification)) this.#decided(decision, verification)
        settled()
      },
      (cause: unknown) => {
        if (this.#isWaitingFor(verification)) this.#undecided('fault', verification, cause)
        settled()
      },
    )
  }

  #isWaitingFor(verification: Verification): boolean {
    if (verification !== this.#verification) return false
    this.#verification = undefined
    return this.#state === 'verifying' || this.#state === 'ready'
  }

  #decided(decision: Decision, { id, startMs }: Verification) {
    if (this.#state === 'ready') return this.#decidedAgain(decision, id)
    const durationMs = this.#core.schedule.nowMs() - startMs
    if (!decision.admitted) {
      const { code } = decision
      this.#core.report({ type: 'auth', sid: this.sid, result: resultOf(code), reason: code, durationMs })
      return this.#end(closeReasonOf(code), decision.retryAfterSeconds)
    }
    const { principal } = decision
    if (!this.#core.takePlace(principal)) {
      this.#core.report({ type: 'auth', sid: this.sid, result: 'denied', reason: 'connection_limit', durationMs })
      return this.#end('connection_limit')
    }
    this.#hasPlace = true
    this.#principal = principal
    this.#watch(principal)
    // Watched first and looked at after: what was revoked in between is seen by one of the two.
    if (!this.#core.permits(principal)) return this.#principalIsOver()
    this.#core.report({ type: 'auth', sid: this.sid, result: 'ok', durationMs })
    this.#becomeReady(principal, id)
  }

  #becomeReady(principal: Principal, id: string | undefined) {
    this.#core.noLongerPending(this, this.#address)
    this.#address = ''
    this.#enter('ready')
    this.#transport.liftBudget()
    const nowMs = this.#core.schedule.nowMs()
    this.#pingDueMs = nowMs + this.#core.limits.pingMs
    this.#reauthFromMs = nowMs + this.#core.limits.reauthSeconds * 1000
    this.#accept(principal, id)
    for (const call of this.#core.onConnection) this.#guarded(() => call(this))
    const first = this.#extras?.firstFrame
    if (first !== undefined && this.#state === 'ready') this.#deliver(first)
  }

  /** Answers a token that was taken, the first or a later one. */
  #accept(principal: Principal, id: string | undefined) {
    const { clock, random, refresh } = this.#core.options
    const isSpoken = this.protocol === subprotocol
    const now = clock.now()
    const refreshAtMs = refresh(principal) ? refreshInMs(principal, now, random) : undefined
    this.#refreshDueMs = isSpoken && refreshAtMs !== undefined ? this.#core.schedule.nowMs() + refreshAtMs : 0
    this.#plan()
    if (!this.#isOurs) return
    const { pingMs, pongMs } = this.#core.limits
    const ok: AuthOkFrame = {
      type: 'auth.ok',
      ...(id === undefined ? {} : { id }),
      sid: this.sid,
      exp: principal.expiresAt,
      now: Math.floor(now),
      ...(refreshAtMs === undefined ? {} : { refreshAtMs }),
      ...(isSpoken ? { pingMs, pongMs } : {}),
      scopes: [...principal.scopes],
    }
    this.#send(ok)
  }

  #decidedAgain(decision: Decision, id: string | undefined) {
    this.#plan()
    const before = this.principal
    if (!decision.admitted) {
      const { code } = decision
      this.#reportReauth(resultOf(code), code)
      const isUndecided = decision.retryAfterSeconds !== undefined
      return this.#sendError(
        id,
        closeReasonOf(code),
        isUndecided ? 'backoff' : 'new_token',
        isUndecided ? unavailableRetryMs : undefined,
      )
    }
    const { principal } = decision
    if (!isSameIdentity(before, principal)) {
      this.#reportReauth('denied', 'identity_mismatch')
      return this.#end('identity_mismatch')
    }
    if (principal.expiresAt <= before.expiresAt) {
      this.#reportReauth('denied', 'not_later')
      return this.#sendError(id, 'not_later', 'new_token')
    }
    this.#stopWatch?.()
    this.#principal = principal
    this.#watch(principal)
    if (!this.#core.permits(principal)) return this.#principalIsOver()
    this.#reauthFromMs = this.#core.schedule.nowMs() + this.#core.limits.reauthSeconds * 1000
    this.#core.report({ type: 'reauth', sid: this.sid, result: 'ok' })
    this.#accept(principal, id)
    this.#stopSubscriptions((scopes) => !this.#core.permits(principal, scopes as readonly Scope[]))
  }

  #undecided(reason: 'fault' | 'verify_timeout', { id, startMs }: Verification, cause?: unknown) {
    const why = { result: 'error', reason, ...(cause === undefined ? {} : { cause }) } as const
    if (this.#state === 'ready') {
      this.#core.report({ type: 'reauth', sid: this.sid, ...why })
      return this.#sendError(id, 'unavailable', 'backoff', unavailableRetryMs)
    }
    const durationMs = this.#core.schedule.nowMs() - startMs
    this.#core.report({ type: 'auth', sid: this.sid, ...why, durationMs })
    this.#end('unavailable')
  }

  #reportReauth(result: 'denied' | 'error', reason: AuthFailure) {
    this.#core.report({ type: 'reauth', sid: this.sid, result, reason })
  }

  #watch(principal: Principal) {
    this.#stopWatch = this.#core.watch(principal, ({ reason }) =>
      this.#end(reason === 'stale' ? 'unavailable' : reason),
    )
  }

  /**
   * The guard says at a frame what it has not told yet, such as after a machine slept: nothing goes in or out from here
   * on, and a new watch says why.
   */
  #principalIsOver() {
    if (this.#state !== 'ready' && this.#state !== 'verifying') return
    const { principal } = this
    this.#dropped += 1
    this.#enter('draining')
    this.#release()
    this.#stopWatch = this.#core.watch(principal, ({ reason }) => {
      const why = reason === 'stale' ? 'unavailable' : reason
      this.#closeCode = closeCodes[why]
      this.#transport.closeFrame(this.#closeCode, why)
    })
    this.#core.schedule.set(this, this.#core.schedule.nowMs() + this.#core.limits.closeMs)
  }

  // ---- out

  send(type: string, data?: unknown): boolean {
    checkType(type)
    return this.#send(data === undefined ? { type } : { type, data })
  }

  sendFrame(frame: string | Uint8Array): boolean {
    if (this.#state !== 'ready') return false
    if (!this.#core.permits(this.principal)) {
      this.#principalIsOver()
      return false
    }
    this.#transport.sendFrame(frame)
    this.#lookAtBuffer()
    return this.isOpen
  }

  #send(frame: object): boolean {
    return this.#state === 'ready' && this.sendFrame(JSON.stringify(frame))
  }

  #sendError(id: string | undefined, code: string, retry: Retry, retryAfterMs?: number) {
    if (this.#isOurs) this.#send(errorFrame(id, code, retry, retryAfterMs))
  }

  #lookAtBuffer() {
    const { sendBufferBytes, sendBufferMaxBytes, sendBufferMs } = this.#core.limits
    const unsent = this.#transport.unsentBytes()
    if (unsent <= sendBufferBytes) {
      this.#slowDueMs = 0
    } else if (unsent > sendBufferMaxBytes) {
      this.#end('slow_consumer')
    } else if (this.#slowDueMs === 0) {
      this.#slowDueMs = this.#core.schedule.nowMs() + sendBufferMs
      this.#plan()
    }
  }

  // ---- time

  /** Puts the next moment at which something has to be done into the schedule. */
  #plan() {
    const { authMs, sessionSeconds, verifyMs } = this.#core.limits
    let next = this.#openedMs + (this.#state === 'ready' ? sessionSeconds * 1000 : authMs)
    if (this.#verification !== undefined) next = sooner(this.#verification.startMs + verifyMs, next)
    if (this.#state === 'ready') {
      next = sooner(this.#pingDueMs, next)
      next = sooner(this.#pongDueMs, next)
      next = sooner(this.#refreshDueMs, next)
      next = sooner(this.#slowDueMs, next)
      next = sooner(this.#extras?.leaveDueMs ?? 0, next)
    }
    this.#core.schedule.set(this, next)
  }

  onDue(nowMs: number): void {
    if (this.#state === 'ready') this.#onDueReady(nowMs)
    else if (this.#state === 'draining') this.#transport.destroyNow()
    else if (this.#state !== 'closed') this.#onDueBefore(nowMs)
  }

  #onDueBefore(nowMs: number) {
    const { authMs } = this.#core.limits
    if (nowMs >= this.#openedMs + authMs) {
      const durationMs = nowMs - this.#openedMs
      this.#core.report({ type: 'auth', sid: this.sid, result: 'denied', reason: 'auth_timeout', durationMs })
      this.#end('auth_timeout')
    } else {
      this.#lookAtVerification(nowMs)
      if (this.#state !== 'draining') this.#plan()
    }
  }

  #onDueReady(nowMs: number) {
    const { sessionSeconds, sendBufferBytes } = this.#core.limits
    if (nowMs >= this.#openedMs + sessionSeconds * 1000) return this.#end('session_age')
    const leaveDueMs = this.#extras?.leaveDueMs
    if (leaveDueMs !== undefined && nowMs >= leaveDueMs) return this.#shut(1001, 'going away')
    if (this.#pongDueMs > 0 && nowMs >= this.#pongDueMs) return this.#end('no_pong')
    if (this.#slowDueMs > 0 && nowMs >= this.#slowDueMs) {
      if (this.#transport.unsentBytes() > sendBufferBytes) return this.#end('slow_consumer')
      this.#slowDueMs = 0
    }
    this.#lookAtVerification(nowMs)
    if (this.#refreshDueMs > 0 && nowMs >= this.#refreshDueMs) {
      this.#refreshDueMs = 0
      this.askToReauthenticate('expiring')
    }
    if (nowMs >= this.#pingDueMs) this.#ping(nowMs)
    if (this.#state === 'ready') this.#plan()
  }

  #lookAtVerification(nowMs: number) {
    const verification = this.#verification
    if (verification === undefined || nowMs < verification.startMs + this.#core.limits.verifyMs) return
    this.#verification = undefined
    this.#undecided('verify_timeout', verification)
  }

  #ping(nowMs: number) {
    const { pingMs, pongMs, inFlight } = this.#core.limits
    this.#pingDueMs = nowMs + pingMs
    // While we do not read, a missing answer is ours.
    this.#pongDueMs = this.#inFlight >= inFlight ? 0 : nowMs + pongMs
    if (this.protocol !== subprotocol) return this.#transport.sendPing()
    this.#send({ type: 'ping', n: Math.round((nowMs - this.#openedMs) / pingMs) })
  }

  // ---- for the application

  onFrame(call: (frame: string | Uint8Array) => void): void {
    this.#getExtras().onFrame = call
  }

  onClose(call: (code: number) => void): void {
    const extras = this.#getExtras()
    extras.onClose ??= []
    extras.onClose.push(call)
  }

  permits(...scopes: readonly Scope[]): boolean {
    return this.#state === 'ready' && this.#core.permits(this.principal, scopes)
  }

  whilePermitted(scopes: readonly Scope[], stop: () => void): () => void {
    if (!this.permits(...scopes)) {
      queueMicrotask(() => this.#guarded(stop))
      return () => {}
    }
    const extras = this.#getExtras()
    extras.subscriptions ??= new Set()
    const subscription = { scopes, stop }
    extras.subscriptions.add(subscription)
    return () => extras.subscriptions?.delete(subscription)
  }

  #stopSubscriptions(isOver: (scopes: readonly string[]) => boolean) {
    for (const subscription of this.#extras?.subscriptions ?? []) {
      if (!isOver(subscription.scopes)) continue
      this.#extras?.subscriptions?.delete(subscription)
      this.#guarded(subscription.stop)
    }
  }

  async reauthenticate(token: string): Promise<boolean> {
    if (this.#state !== 'ready' || this.#verification !== undefined) return false
    const before = this.#principal
    if (typeof token !== 'string' || token === '' || token.length > this.#core.limits.tokenLength) return false
    if (this.#core.schedule.nowMs() < this.#reauthFromMs) return false
    await new Promise<void>((resolve) => {
      this.#verify(token, undefined, resolve)
    })
    return this.#state === 'ready' && this.#principal !== before
  }

  askToReauthenticate(reason: RefreshReason): void {
    if (this.#state !== 'ready' || this.protocol !== subprotocol) return
    const leftMs = (this.principal.expiresAt - this.#core.options.clock.now()) * 1000
    this.#send({ type: 'auth.refresh', reason, deadlineMs: Math.max(0, Math.floor(leftMs)) })
  }

  close(code = 1000, reason = ''): void {
    if (code !== 1000 && !(Number.isInteger(code) && code >= 4000 && code <= 4999)) {
      throw new WebSocketError('bad_option', 'A close code is 1000, or one of 4000 to 4999.')
    }
    this.#shut(code, reason)
  }

  #getExtras(): Extras {
    this.#extras ??= {}
    return this.#extras
  }

  // ---- the end

  /** Stops taking messages; closes with 1001 once those in hand are answered, or `graceMs` are over. */
  leave(graceMs: number, retryAfterMs: number): void {
    if (this.#state === 'ready' && !this.#isLeaving) {
      this.#sendError(undefined, 'going_away', 'backoff', retryAfterMs)
      this.#isLeaving = true
      this.#getExtras().leaveDueMs = this.#core.schedule.nowMs() + graceMs
      if (this.#inFlight > 0 && graceMs > 0) this.#plan()
      else this.#shut(1001, 'going away')
    } else if (this.#state === 'pending' || this.#state === 'verifying') this.#shut(1001, 'going away')
  }

  /** Makes room at once: a close handshake would hold the very descriptor that is needed. */
  evict(): void {
    this.#core.report({ type: 'evicted', sid: this.sid })
    this.#closeCode = closeCodes.auth_timeout
    this.#enter('draining')
    this.#release()
    this.#transport.destroyNow()
  }

  /** The bytes before authentication are used up, or are none that may come then. */
  overBudget(reason: 'budget' | 'malformed'): void {
    this.#end(reason)
    // What else is on its way stays with the kernel until the connection ends.
    this.#transport.stopReading()
  }

  /** The socket is closing without us: by the peer's close frame, or a frame that the library refused. */
  peerIsClosing(): void {
    if (this.#state === 'draining' || this.#state === 'closed') return
    this.#enter('draining')
    this.#release()
    this.#core.schedule.set(this, this.#core.schedule.nowMs() + this.#core.limits.closeMs)
  }

  /** The TCP connection is gone. */
  closed(code: number): void {
    if (this.#state === 'closed') return
    this.#enter('closed')
    this.#release()
    this.#core.schedule.remove(this)
    this.#core.forget(this)
    const { sid } = this
    if (this.#dropped > 0) {
      this.#core.report({ type: 'dropped', sid, cause: causeOf(this.#closeCode), frames: this.#dropped })
    }
    const isOurs = this.#closeCode !== 0
    this.#core.report({ type: 'closed', sid, code: isOurs ? this.#closeCode : code, by: isOurs ? 'server' : 'client' })
    for (const call of this.#extras?.onClose ?? []) this.#guarded(() => call(isOurs ? this.#closeCode : code))
    this.#extras = undefined
  }

  #end(reason: CloseReason, retryAfterSeconds?: number) {
    if (retryAfterSeconds !== undefined && this.protocol === subprotocol && this.#state === 'verifying') {
      // Nobody is authenticated, so that `send` would not.
      const frame = errorFrame(undefined, reason, 'backoff', retryAfterSeconds * 1000)
      this.#transport.sendFrame(JSON.stringify(frame))
    }
    this.#shut(closeCodes[reason], reason)
  }

  #shut(code: number, reason: string) {
    if (this.#state === 'draining' || this.#state === 'closed') return
    this.#closeCode = code
    // From here on nothing is taken and nothing is sent, in this very call: the socket itself goes on delivering.
    this.#enter('draining')
    this.#release()
    this.#transport.closeFrame(code, reason)
    this.#core.schedule.set(this, this.#core.schedule.nowMs() + this.#core.limits.closeMs)
  }

  #release() {
    this.#stopWatch?.()
    this.#stopWatch = undefined
    this.#verification = undefined
    this.#core.noLongerPending(this, this.#address)
    if (this.#principal !== undefined && this.#hasPlace) {
      this.#hasPlace = false
      this.#core.givePlaceBack(this.#principal)
    }
    const backlog = this.#extras?.backlog
    if (backlog !== undefined) {
      this.#dropped += backlog.length
      backlog.length = 0
    }
    this.#stopSubscriptions(() => true)
  }

  #enter(state: SocketState) {
    const from = this.#state
    this.#state = state
    this.#core.report({ type: 'state', sid: this.sid, from, to: state })
  }
}

/** @param dueMs 0 for never */
function sooner(dueMs: number, next: number): number {
  return dueMs > 0 && dueMs < next ? dueMs : next
}

function causeOf(code: number): DropCause {
  for (const [reason, closeCode] of Object.entries(closeCodes)) if (closeCode === code) return reason as CloseReason
  return code === 1001 ? 'going_away' : 'other'
}

function isAuth(text: string, maxDepth: number): boolean {
  return readFrame(text, maxDepth)?.type === 'auth'
}

function tokenOf({ type, id, members: { token } }: ReadFrame): { token: string; id: string | undefined } | undefined {
  return type === 'auth' && typeof token === 'string' && token !== '' ? { token, id } : undefined
}

function errorFrame(id: string | undefined, code: string, retry: Retry, retryAfterMs?: number): object {
  return {
    type: 'error',
    ...(id === undefined ? {} : { id }),
    code,
    retry,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  }
}
