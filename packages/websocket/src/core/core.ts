import type { Decision, PrincipalEnd } from '@countersign/guard'
import type { Principal } from '@countersign/tokens'
import { subprotocol } from '../frames.ts'
import type { Connection, MessageHandler } from './connection.ts'
import type { WebSocketEvent } from './events.ts'
import type { SessionHost } from './host.ts'
import type { Limits } from './limits.ts'
import type { CoreOptions } from './options.ts'
import { type Address, Pending } from './pending.ts'
import { Schedule } from './schedule.ts'
import { Session } from './session.ts'
import type { Transport } from './transport.ts'

const anyToken: readonly never[] = []

/** What the sockets of one server share. Knows no WebSocket library: sessions and their limits are tested without one. */
export class Core<Scope extends string = string> implements SessionHost<Scope> {
  readonly options: CoreOptions<Scope>
  readonly limits: Limits
  /** Holds every session as long as its TCP connection is there: a set of them would be paid for by each. */
  readonly schedule: Schedule<Session<Scope>>
  readonly authRequired: string
  readonly handlers: Map<string, MessageHandler<Scope>> = new Map()
  readonly onConnection: ((connection: Connection<Scope>) => void)[] = []
  readonly #pending: Pending<Session<Scope>>
  /** By issuer, then subject: joined names would be one more string a socket. */
  readonly #socketsOf: Map<string, Map<string, number>> = new Map()
  readonly #name: string
  #opened = 0
  #whenEmpty: (() => void) | undefined
  #gone: Promise<void> | undefined

  constructor(options: CoreOptions<Scope>) {
    this.options = options
    this.limits = options.limits
    this.schedule = new Schedule<Session<Scope>>(options.clock)
    this.#pending = new Pending(options.limits.pendingPerAddress)
    const { authMs: deadlineMs, preAuthBytes: maxBytes } = options.limits
    this.authRequired = JSON.stringify({ type: 'auth.required', v: 1, methods: ['bearer'], deadlineMs, maxBytes })
    this.#name = [...crypto.getRandomValues(new Uint8Array(6))]
      .map((byte) => byte.toString(36).padStart(2, '0'))
      .join('')
  }

  /** What to `open` a socket with, or `undefined` where its address has as many unauthenticated ones as it may. */
  placeFor(address: Address): Address | undefined {
    return this.#pending.placeFor(address)
  }

  /** @param address of the peer, or its /64: whoever shares it shares a part of the unauthenticated sockets */
  open(transport: Transport, address: Address): Session<Scope> {
    if (this.#pending.size >= this.limits.pending) this.#pending.oldest?.evict()
    this.#opened += 1
    const session = new Session<Scope>(this, transport, this.#opened)
    this.#pending.add(session, address)
    session.start()
    return session
  }

  nameOf(number: number): string {
    return `${this.#name}-${number}`
  }

  /** Whether clients may come with this subprotocol, or with none. */
  speaks(protocol: string): boolean {
    const { envelopes, plain } = this.options
    return envelopes.has(protocol) || protocol === subprotocol || (protocol === '' && plain)
  }

  admit(token: string): Promise<Decision> {
    const { guard, scopes, availability } = this.options
    return guard.admit({ token, scopes, surface: 'websocket', ...(availability === undefined ? {} : { availability }) })
  }

  permits(principal: Principal, scopes: readonly Scope[] = anyToken): boolean {
    const { guard, availability } = this.options
    return availability === undefined
      ? guard.permits(principal, scopes)
      : guard.permits(principal, scopes, { availability })
  }

  /** Whether it would be permitted these, however late the news of revocations are. */
  holds(principal: Principal, scopes: readonly Scope[]): boolean {
    return this.options.guard.permits(principal, scopes, { availability: 'token-life' })
  }

  watch(principal: Principal, onEnd: (end: PrincipalEnd) => void): () => void {
    const { guard, availability } = this.options
    return guard.watch(principal, onEnd, availability === undefined ? {} : { availability })
  }

  noLongerPending(session: Session<Scope>): void {
    this.#pending.remove(session)
  }

  /** Counts a socket of this subject, unless it has as many as it may. */
  takePlace({ issuer, subject }: Principal): boolean {
    let subjects = this.#socketsOf.get(issuer)
    if (subjects === undefined) {
      subjects = new Map()
      this.#socketsOf.set(issuer, subjects)
    }
    const held = subjects.get(subject) ?? 0
    if (held >= this.limits.socketsPerSubject) return false
    subjects.set(subject, held + 1)
    return true
  }

  givePlaceBack({ issuer, subject }: Principal): void {
    const subjects = this.#socketsOf.get(issuer)
    const left = (subjects?.get(subject) ?? 0) - 1
    if (left > 0) subjects?.set(subject, left)
    else subjects?.delete(subject)
    if (subjects?.size === 0) this.#socketsOf.delete(issuer)
  }

  forget(session: Session<Scope>): void {
    this.schedule.remove(session)
    if (this.schedule.size === 0) this.#whenEmpty?.()
  }

  report(event: WebSocketEvent): void {
    this.options.onEvent?.(event)
  }

  *ready(): IterableIterator<Connection<Scope>> {
    for (const session of this.schedule.all()) if (session.state === 'ready') yield session.connection
  }

  get counts(): { readonly pending: number; readonly sockets: number } {
    return { pending: this.#pending.size, sockets: this.schedule.size }
  }

  /** Lets messages under way end, says 1001 to everybody, and resolves when every TCP connection is gone. */
  async close(graceMs: number, spreadMs: number): Promise<void> {
    const { random } = this.options
    this.#gone ??= new Promise<void>((resolve) => {
      this.#whenEmpty = resolve
    })
    for (const session of this.schedule.all()) session.leave(graceMs, Math.floor(random() * spreadMs))
    if (this.schedule.size > 0) await this.#gone
    this.schedule.clear()
  }
}
