import type { PostgresSettings } from './options.ts'
import type { Session } from './session.ts'

export interface PostgresWatchOptions {
  readonly settings: PostgresSettings
  /** A connection of the watch's own. */
  readonly connect: () => Promise<Session>
  /** Runs the look over any connection. */
  readonly use: <T>(work: (session: Session) => Promise<T>) => Promise<T>
  /** Called with how far the server's clock is ahead of ours, in seconds, or a little less. */
  readonly onClock: (offset: number) => void
}

/** Changes whenever the log or a key ring does; and what time it is there. */
const look = `
  SELECT
    (SELECT epoch::text || ':' || seq::text FROM revocation_log WHERE id = 1) AS log,
    (SELECT coalesce(sum(version), 0)::text || ':' || count(*)::text FROM key_rings) AS rings,
    extract(epoch FROM clock_timestamp())::float8 AS now`

interface Seen {
  readonly log: string
  readonly rings: string
  readonly now: number
}

/** Milliseconds without an answer after which the listening connection counts as dead. */
const longestSilenceMs = 2_000

/**
 * Calls back after commits of anybody. Looking every second is the guarantee; a connection that listens is woken at once,
 * and is looked through as well, so that one that died unnoticed is noticed. Works only while somebody wants to know.
 */
export class PostgresWatch {
  readonly #options: PostgresWatchOptions
  readonly #listeners = new Set<{ readonly call: () => void }>()
  #session: Session | undefined
  /** While the connection that listens comes about. */
  #listening: Promise<void> | undefined
  #looking = false
  #last: string | undefined
  #cancel: (() => void) | undefined
  #isFiring = false
  #isClosed = false

  constructor(options: PostgresWatchOptions) {
    this.#options = options
  }

  add(call: () => void): () => void {
    if (this.#isClosed) return () => {}
    const listener = { call }
    this.#listeners.add(listener)
    if (this.#cancel === undefined) this.#beat()
    return () => {
      this.#listeners.delete(listener)
      if (this.#listeners.size === 0) this.#stop()
    }
  }

  /** Calls nobody back from now on. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#listeners.clear()
    const session = this.#session
    this.#stop()
    await Promise.all([session?.close(), this.#listening])
  }

  #stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
    this.#last = undefined
    void this.#session?.close()
    this.#session = undefined
  }

  #beat(): void {
    const { clock, pollIntervalMs, notifications } = this.#options.settings
    this.#cancel = clock.after(pollIntervalMs, () => this.#beat())
    if (this.#session !== undefined && this.#session.silentMs(performance.now()) > longestSilenceMs) {
      this.#session.destroy()
      this.#session = undefined
    }
    if (notifications && this.#session === undefined && this.#listening === undefined) {
      this.#listening = this.#listen().finally(() => {
        this.#listening = undefined
      })
    }
    void this.#look()
  }

  async #look(): Promise<void> {
    if (this.#looking) return
    this.#looking = true
    const { clock } = this.#options.settings
    try {
      const ask = async (session: Session): Promise<Seen> => (await session.query(look, [])).rows[0] as Seen
      const session = this.#session
      const seen = await (session === undefined ? this.#options.use(ask) : ask(session))
      this.#options.onClock(seen.now - clock.now())
      const mark = `${seen.log} ${seen.rings}`
      // The first look too: by its time something may have changed already.
      const isNews = this.#last !== mark
      this.#last = mark
      if (isNews) this.#fire()
    } catch {
      // Unreadable now: the next look tells, and reads themselves say what is wrong.
    } finally {
      this.#looking = false
    }
  }

  async #listen(): Promise<void> {
    try {
      const session = await this.#options.connect()
      session.onEnd(() => {
        if (this.#session === session) this.#session = undefined
      })
      session.onNotification(() => this.#fire())
      session.keepAlive(false)
      await session.command(`LISTEN ${this.#options.settings.schema}`)
      if (this.#listeners.size === 0 || session.isBroken) {
        await session.close()
        return
      }
      this.#session = session
      // What happened while nobody listened.
      this.#fire()
    } catch {
      // Looking goes on; the next beat tries again.
    }
  }

  /** Once for all that comes in one turn. */
  #fire(): void {
    if (this.#isFiring) return
    this.#isFiring = true
    setImmediate(() => {
      this.#isFiring = false
      // Each in a task of its own: one that throws must not keep the others from being called.
      for (const { call } of this.#listeners) queueMicrotask(call)
    })
  }
}
