import { StorageError } from '../storage-error.ts'
import { storageError } from './failure.ts'
import type { PostgresSettings } from './options.ts'
import { Session } from './session.ts'

interface Waiter {
  readonly resolve: (session: Session) => void
  readonly reject: (error: StorageError) => void
  readonly untilMs: number
}

/** Between two tries to connect: doubled up to the most, with jitter. */
const firstBackOffMs = 25
const longestBackOffMs = 1_000
/** Between two looks for connections that are silent, and for calls that have waited for too long. */
const lookEveryMs = 100
/** Over a statement's own time, for the network; past it nobody answers any more. */
const graceMs = 1_000

interface PoolStatistics {
  /** Open connections, whether used or not. */
  readonly connections: number
  /** Calls that wait for one. */
  readonly waiting: number
}

/**
 * Connections to whichever server takes writes, made as they are needed and lent to one call at a time, first come, first
 * served. While no server answers, one connection is tried at a time, ever less often, and the calls wait.
 */
export class Pool {
  readonly #settings: PostgresSettings
  readonly #all = new Set<Session>()
  /** The last one used on top, so that those which nobody needs are closed. */
  #idle: { readonly session: Session; readonly sinceMs: number }[] = []
  #waiting: Waiter[] = []
  #connecting = 0
  #failures = 0
  #lastFailure: StorageError | undefined
  #retryAtMs = 0
  #place: Session['place'] | undefined
  #timer: NodeJS.Timeout | undefined
  #closing: PromiseWithResolvers<void> | undefined

  constructor(settings: PostgresSettings) {
    this.#settings = settings
  }

  get statistics(): PoolStatistics {
    return { connections: this.#all.size, waiting: this.#waiting.length }
  }

  /** A session for the caller alone, until `release`. @throws StorageError `busy`, `unavailable`, `cannot_open`, `closed` */
  acquire(patienceMs: number): Promise<Session> {
    if (this.#closing !== undefined) return Promise.reject(new StorageError('closed', 'The database is closed.'))
    const session = this.#takeIdle()
    if (session !== undefined) return Promise.resolve(session)
    if (this.#waiting.length >= this.#settings.maxPending) {
      return Promise.reject(new StorageError('busy', `${this.#waiting.length} calls are waiting already.`))
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject, untilMs: performance.now() + patienceMs })
      this.#look()
      this.#grow()
    })
  }

  release(session: Session): void {
    const isOld = performance.now() - session.sinceMs >= this.#settings.lifetimeMs
    if (session.isBroken || isOld || this.#closing !== undefined) {
      this.#all.delete(session)
      void session.close()
      if (this.#closing !== undefined) this.#finish()
      else this.#grow()
      return
    }
    this.#lend(session)
  }

  /** Takes no further calls, and resolves when those under way have given their connections back. */
  close(): Promise<void> {
    if (this.#closing !== undefined) return this.#closing.promise
    this.#closing = Promise.withResolvers()
    clearTimeout(this.#timer)
    for (const { reject } of this.#waiting.splice(0)) reject(new StorageError('closed', 'The database is closed.'))
    for (const { session } of this.#idle.splice(0)) {
      this.#all.delete(session)
      void session.close()
    }
    this.#finish()
    return this.#closing.promise
  }

  #finish(): void {
    if (this.#all.size === 0 && this.#connecting === 0) this.#closing?.resolve()
  }

  #takeIdle(): Session | undefined {
    for (;;) {
      const session = this.#idle.pop()?.session
      if (session === undefined || !session.isBroken) {
        session?.keepAlive(true)
        return session
      }
    }
  }

  #lend(session: Session): void {
    const waiter = this.#waiting.shift()
    if (waiter !== undefined) {
      session.keepAlive(true)
      waiter.resolve(session)
      return
    }
    // Only calls under way keep the process alive.
    session.keepAlive(false)
    this.#idle.push({ session, sinceMs: performance.now() })
    this.#look()
  }

  /** Makes connections for those who wait: all at once while a server answers, else one by one. */
  #grow(): void {
    if (this.#closing !== undefined) return
    const most = this.#failures > 0 ? 1 : this.#settings.maxConnections
    while (
      this.#waiting.length > this.#connecting &&
      this.#connecting < most &&
      this.#all.size + this.#connecting < this.#settings.maxConnections &&
      performance.now() >= this.#retryAtMs
    ) {
      this.#connecting += 1
      void this.#connect()
    }
  }

  async #connect(): Promise<void> {
    try {
      const session = await this.open()
      this.#connecting -= 1
      this.#succeed(session)
    } catch (error) {
      this.#connecting -= 1
      this.#fail(storageError(error))
    }
    if (this.#closing !== undefined) this.#finish()
    else this.#grow()
  }

  /**
   * A session that is the caller's own to close. The server that answered last comes first; a standby, or one that is
   * down, is passed over.
   */
  async open(): Promise<Session> {
    const { places } = this.#settings
    const first = this.#place === undefined ? -1 : places.indexOf(this.#place)
    let failure: StorageError | undefined
    for (const place of first <= 0 ? places : [...places.slice(first), ...places.slice(0, first)]) {
      try {
        return await Session.open(place, this.#settings)
      } catch (error) {
        const found = storageError(error)
        // Of several, the one that needs somebody's hand says most.
        if (failure === undefined || failure.code === 'unavailable') failure = found
      }
    }
    throw failure ?? new StorageError('failed', 'There is no server to connect to.')
  }

  #succeed(session: Session): void {
    if (this.#closing !== undefined) {
      void session.close()
      return
    }
    const isNews = this.#failures > 0 || session.place !== this.#place
    this.#failures = 0
    this.#retryAtMs = 0
    this.#lastFailure = undefined
    this.#all.add(session)
    session.onEnd(() => {
      this.#all.delete(session)
      this.#idle = this.#idle.filter((one) => one.session !== session)
      if (this.#closing !== undefined) this.#finish()
    })
    if (isNews) {
      this.#place = session.place
      const { host, port } = session.place
      this.#settings.onEvent({ type: 'connected', host, port })
      if (session.notDurable.length > 0) this.#settings.onEvent({ type: 'not_durable', settings: session.notDurable })
    }
    this.#lend(session)
  }

  #fail(error: StorageError): void {
    this.#lastFailure = error
    this.#failures += 1
    if (this.#failures === 1) this.#settings.onEvent({ type: 'disconnected', error })
    const backOffMs = Math.min(longestBackOffMs, firstBackOffMs * 2 ** Math.min(this.#failures - 1, 10))
    this.#retryAtMs = performance.now() + backOffMs * (0.5 + Math.random() / 2)
    // Waiting helps against a server that is down, not against a wrong password.
    if (error.code !== 'unavailable' && error.code !== 'read_only') {
      for (const { reject } of this.#waiting.splice(0)) reject(error)
    }
    this.#look()
  }

  #whyLate(): StorageError {
    return this.#all.size === 0
      ? new StorageError('unavailable', 'No server has answered in time.')
      : new StorageError('busy', 'All connections were in use for too long.')
  }

  #look(): void {
    if (this.#closing !== undefined) return
    if (this.#timer !== undefined) {
      if (this.#waiting.length > 0) this.#timer.ref()
      return
    }
    const soonMs = this.#waiting.length > 0 && this.#failures > 0 ? firstBackOffMs : lookEveryMs
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#lookNow(performance.now())
      if (this.#waiting.length > 0 || this.#all.size > 0) this.#look()
    }, soonMs)
    // A call that waits for a server keeps the process alive; connections that nobody uses do not.
    if (this.#waiting.length === 0) this.#timer.unref()
  }

  #lookNow(nowMs: number): void {
    const { statementTimeoutMs, idleTimeoutMs } = this.#settings
    for (const session of this.#all) {
      if (session.silentMs(nowMs) <= statementTimeoutMs + graceMs) continue
      this.#all.delete(session)
      session.destroy()
    }
    const over = this.#idle.filter((one) => nowMs - one.sinceMs >= idleTimeoutMs)
    if (over.length > 0) {
      this.#idle = this.#idle.filter((one) => !over.includes(one))
      for (const { session } of over) {
        this.#all.delete(session)
        void session.close()
      }
    }
    const late = this.#waiting.filter((one) => one.untilMs <= nowMs)
    if (late.length > 0) {
      this.#waiting = this.#waiting.filter((one) => one.untilMs > nowMs)
      const error = this.#lastFailure ?? this.#whyLate()
      for (const { reject } of late) reject(error)
    }
    this.#grow()
  }
}
