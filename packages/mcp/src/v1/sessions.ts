import { within } from '../core/within.ts'
import type { SessionOptions } from './types.ts'

/** An open session, and whose it is. */
export interface Session<Server> {
  readonly id: string
  /** Issuer, subject and client: not the token, which is renewed while a session lasts. */
  readonly owner: string
  readonly server: Server
  /** Streams that the client listens on. */
  streams: number
  usedAtMs: number
}

/** Sessions by their ids, the longest unused first. */
export class Sessions<Server> {
  readonly #max: number
  readonly #maxPerOwner: number
  readonly #idleMs: number
  readonly #end: (server: Server) => void
  readonly #now: () => number
  readonly #open = new Map<string, Session<Server>>()

  /** @throws McpGuardError `bad_option` */
  constructor(options: SessionOptions, end: (server: Server) => void, now: () => number = () => performance.now()) {
    this.#max = within('sessions.max', options.max, 10_000, [1, 1_000_000])
    this.#maxPerOwner = within('sessions.maxPerCaller', options.maxPerCaller, 32, [1, 10_000])
    this.#idleMs = within('sessions.idleSeconds', options.idleSeconds, 1_800, [1, 86_400]) * 1000
    this.#end = end
    this.#now = now
  }

  get size(): number {
    return this.#open.size
  }

  /** Makes room first: a caller's own for that caller, then anybody's. */
  add(id: string, owner: string, server: Server): Session<Server> {
    this.#sweep()
    const own = [...this.#open.values()].filter((session) => session.owner === owner)
    const [oldest] = own
    if (own.length >= this.#maxPerOwner && oldest !== undefined) this.drop(oldest.id)
    const [first] = this.#open.keys()
    if (this.#open.size >= this.#max && first !== undefined) this.drop(first)
    const session = { id, owner, server, streams: 0, usedAtMs: this.#now() }
    this.#open.set(id, session)
    return session
  }

  /** `undefined` also for one that nobody used for too long. */
  find(id: string): Session<Server> | undefined {
    const session = this.#open.get(id)
    if (session === undefined) return undefined
    if (!this.#isIdle(session)) return session
    this.drop(id)
    return undefined
  }

  /** Puts it behind all others. */
  use(session: Session<Server>): void {
    if (!this.#open.delete(session.id)) return
    session.usedAtMs = this.#now()
    this.#open.set(session.id, session)
  }

  drop(id: string): void {
    const session = this.#open.get(id)
    if (session === undefined) return
    this.#open.delete(id)
    this.#end(session.server)
  }

  clear(): void {
    for (const id of [...this.#open.keys()]) this.drop(id)
  }

  #isIdle({ streams, usedAtMs }: Session<Server>): boolean {
    return streams === 0 && this.#now() - usedAtMs >= this.#idleMs
  }

  #sweep(): void {
    for (const session of [...this.#open.values()]) if (this.#isIdle(session)) this.drop(session.id)
  }
}
