import { Socket } from 'node:net'
import pg from 'pg'
import type { Call, Result } from '../operation.ts'
import { StorageError } from '../storage-error.ts'
import { storageError } from './failure.ts'
import type { Place, PostgresSettings } from './options.ts'
import { checkValue, typeParsers } from './values.ts'

/** Any number. With the schema's own it is a lock that every session holds, so that who restores can tell that none is there. */
export const useLockClass = 0x43_53_55_53

interface Answer {
  readonly rows: readonly unknown[]
  readonly rowCount: number | null
  readonly command: string
}

/** What the types of `pg` leave out. */
type Client = pg.Client & { ref(): void; unref(): void }

function toResult({ rows, rowCount }: Answer): Result {
  return { rows, changes: rowCount ?? 0 }
}

/** Statements are prepared under a name of their own in every session; the text is the same wherever the name is. */
const names = new Map<string, string>()

function nameOf(sql: string): string {
  let name = names.get(sql)
  if (name === undefined) {
    name = `countersign_${names.size + 1}`
    names.set(sql, name)
  }
  return name
}

/** What the server says of itself when a session begins. */
interface Setup {
  readonly is_replica: boolean
  readonly is_read_only: boolean
  readonly encoding: string
  readonly fsync: string
  readonly full_page_writes: string
  readonly now: number
}

/**
 * One connection that was set up. Statements go out without waiting for the answers of those before (the protocol's
 * pipelining); answers come in the same order.
 */
export class Session {
  readonly place: Place
  /** When it was set up, by the monotonic clock: connections do not live for ever. */
  readonly sinceMs: number
  /** How far the server's clock is ahead, in seconds; never more than that. */
  clockOffset = 0
  /** Settings of the server under which it may lose what it acknowledged. */
  notDurable: readonly string[] = []
  readonly #client: Client
  readonly #socket: Socket
  readonly #isEncrypted: boolean
  #unanswered = 0
  /** When the oldest question without an answer was sent, or the last answer came. */
  #heardMs = 0
  #isCorked = false
  #isBroken = false
  #isUnconfirmed = false
  #onEnd: (() => void) | undefined

  /**
   * Connects and sets up.
   * @throws StorageError `unavailable`, `cannot_open`; `read_only` for a standby
   */
  static async open(place: Place, settings: PostgresSettings): Promise<Session> {
    const session = new Session(place, settings, await settings.password())
    try {
      await session.#begin(settings)
      return session
    } catch (error) {
      session.destroy()
      throw storageError(error)
    }
  }

  private constructor(place: Place, settings: PostgresSettings, password: string) {
    this.place = place
    this.sinceMs = performance.now()
    this.#socket = new Socket()
    this.#isEncrypted = place.tls !== false
    const config: pg.ClientConfig & { readonly pipeline: true } = {
      host: place.host,
      port: place.port,
      user: settings.user,
      database: settings.database,
      // Never from elsewhere (PGPASSWORD, ~/.pgpass): what is used is what was given.
      password: () => password,
      ssl: place.tls === false ? false : { ...place.tls },
      stream: () => this.#socket,
      application_name: settings.applicationName,
      connectionTimeoutMillis: settings.connectTimeoutMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      types: typeParsers,
      pipeline: true,
    }
    this.#client = new pg.Client(config) as Client
    // Also while nobody waits for an answer: an error without a listener would end the process.
    this.#client.on('error', () => this.#end())
    this.#client.on('end', () => this.#end())
    // After a time-out the server answers COMMIT as if the standby had it too, and only warns. By the place in its source,
    // since texts are translated.
    this.#client.on('notice', ({ routine }) => {
      if (routine === 'SyncRepWaitForLSN') this.#isUnconfirmed = true
    })
  }

  get isBroken(): boolean {
    return this.#isBroken
  }

  /** Milliseconds that an answer is overdue; 0 when none is expected. */
  silentMs(nowMs: number): number {
    return this.#unanswered === 0 ? 0 : nowMs - this.#heardMs
  }

  /** Calls back once, when the connection has ended by itself. */
  onEnd(call: () => void): void {
    this.#onEnd = call
  }

  onNotification(call: (channel: string) => void): void {
    this.#client.on('notification', ({ channel }) => call(channel))
  }

  /** Whether an open connection keeps the process alive. */
  keepAlive(isKept: boolean): void {
    if (this.#isBroken) return
    if (isKept) this.#client.ref()
    else this.#client.unref()
  }

  /**
   * Runs one statement, prepared at its first use; rejects with the server's error.
   * @throws StorageError `invalid_value` at once, for a value that cannot be sent: the server then knows nothing of it
   */
  run(call: Call): Promise<Result> {
    for (const value of call.values) checkValue(value)
    const { sql } = call.statement
    return this.#ask({ name: nameOf(sql), text: sql, values: [...call.values] }).then(toResult)
  }

  /** Runs one prepared statement with values that were checked, lists among them. */
  async query(sql: string, values: readonly unknown[]): Promise<Answer> {
    return await this.#ask({ name: nameOf(sql), text: sql, values: [...values] })
  }

  /** Runs text as it is. @returns what was done, such as `COMMIT`, and the rows; of several statements, of the last */
  async command(sql: string): Promise<Answer> {
    const answers = await this.#ask({ text: sql })
    return Array.isArray(answers) ? answers.at(-1) : answers
  }

  /** Says goodbye; what was asked is answered first. */
  async close(): Promise<void> {
    this.#onEnd = undefined
    if (this.#isBroken) return
    // Somebody waits for it: with nothing that keeps the process alive, it would end in the midst of it.
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const timer = setTimeout(resolve, 1_000)
    await Promise.race([this.#client.end(), late])
    clearTimeout(timer)
    this.destroy()
  }

  /** Ends it at once: what waits for an answer fails. */
  destroy(): void {
    this.#isBroken = true
    this.#onEnd = undefined
    this.#socket.destroy()
    // Tells the waiting, if the socket had not connected yet.
    this.#client.end().catch(() => {})
  }

  #end(): void {
    if (this.#isBroken) return
    this.#isBroken = true
    this.#socket.destroy()
    this.#onEnd?.()
    this.#onEnd = undefined
  }

  #ask(query: { readonly name?: string; readonly text: string; readonly values?: unknown[] }): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#isBroken) {
        reject(new StorageError('unavailable', 'The connection has ended.'))
        return
      }
      if (this.#unanswered === 0) this.#heardMs = performance.now()
      this.#unanswered += 1
      this.#cork()
      void this.#client.query(query, (error: Error | null, answer: Answer) => {
        this.#unanswered -= 1
        this.#heardMs = performance.now()
        if (error) reject(error)
        else if (this.#isUnconfirmed) reject(new StorageError('outcome_unknown', 'The standby did not confirm it.'))
        else resolve(answer)
        this.#isUnconfirmed = false
      })
    })
  }

  /** What is asked in one turn goes out as one packet. */
  #cork(): void {
    if (this.#isCorked || this.#isEncrypted) return
    this.#isCorked = true
    this.#socket.cork()
    process.nextTick(() => {
      this.#isCorked = false
      this.#socket.uncork()
    })
  }

  async #begin(settings: PostgresSettings): Promise<void> {
    await this.#client.connect()
    const { statementTimeoutMs, lockTimeoutMs, idleInTransactionTimeoutMs, schema } = settings
    const { rows } = await this.command(`
      SET search_path = ${pg.escapeIdentifier(schema)};
      SET statement_timeout = ${statementTimeoutMs};
      SET lock_timeout = ${lockTimeoutMs};
      SET idle_in_transaction_session_timeout = ${idleInTransactionTimeoutMs};
      SELECT pg_advisory_lock_shared(${useLockClass}, hashtext(${pg.escapeLiteral(schema)}));
      SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
      SELECT
        pg_is_in_recovery() AS is_replica,
        current_setting('transaction_read_only') = 'on' AS is_read_only,
        current_setting('server_encoding') AS encoding,
        current_setting('fsync') AS fsync,
        current_setting('full_page_writes') AS full_page_writes,
        extract(epoch FROM clock_timestamp())::float8 AS now`)
    const setup = rows[0] as Setup
    // Stamped before it arrived here: the true offset is no smaller.
    this.clockOffset = setup.now - settings.clock.now()
    if (setup.is_replica || setup.is_read_only) {
      throw new StorageError('read_only', `${this.place.host}:${this.place.port} is a standby, or read-only.`)
    }
    if (setup.encoding !== 'UTF8') {
      throw new StorageError('cannot_open', `The database has the encoding ${setup.encoding}: it needs UTF8.`)
    }
    const durability = { fsync: setup.fsync, full_page_writes: setup.full_page_writes }
    this.notDurable = Object.entries(durability)
      .filter(([, value]) => value === 'off')
      .map(([name]) => name)
  }
}
