import { setTimeout as sleep } from 'node:timers/promises'
import type { Operation } from '../operation.ts'
import type { Reads, WriteName, WriteResult, Writes } from '../operations.ts'
import { StorageError } from '../storage-error.ts'
import type { Engine } from '../stores.ts'
import { operationsForPostgres } from './builder.ts'
import { recourse, storageError } from './failure.ts'
import { IssuedBatches } from './issued-batches.ts'
import type { PostgresSettings } from './options.ts'
import type { Pool } from './pool.ts'
import type { Session } from './session.ts'
import { look, transact } from './transaction.ts'

/** Tries of a transaction that others were in the way of. */
const mostTries = 8
const firstPauseMs = 4

/** Runs operations over the pool's connections. */
export class PostgresEngine implements Pick<Engine, 'reads' | 'read' | 'write' | 'now'> {
  readonly reads: Reads
  readonly #writes: Writes
  readonly #pool: Pool
  readonly #settings: PostgresSettings
  readonly #batches: IssuedBatches
  #clockOffset = 0
  #retries = 0
  #isClosed = false
  readonly #calls = new Set<Promise<unknown>>()

  constructor(pool: Pool, settings: PostgresSettings) {
    const { reads, writes } = operationsForPostgres()
    this.reads = reads
    this.#writes = writes
    this.#pool = pool
    this.#settings = settings
    this.#batches = new IssuedBatches({
      storeAll: (sql, values) => this.#once((session) => session.query(sql, values)),
      storeAlone: (issued) => this.#transact('addIssued', [issued]),
      status: (jti) => this.#again((session) => look(session, reads.tokenStatus(jti))),
    })
  }

  /** Transactions that ran again, because others were in the way. */
  get retries(): number {
    return this.#retries
  }

  /** Unix seconds by the server's clock, or a little less; never more. */
  now(): number {
    return this.#settings.clock.now() + this.#clockOffset
  }

  /** The server's clock was read just now. */
  noteClock(offset: number): void {
    if (this.#settings.usesServerClock) this.#clockOffset = offset
  }

  read<T>(operation: () => Operation<T>): Promise<T> {
    return this.use((session) => look(session, operation()))
  }

  write<K extends WriteName>(name: K, ...args: Parameters<Writes[K]>): Promise<WriteResult<K>> {
    return this.#call(() => {
      if (name === 'addIssued') return this.#batches.add(...(args as Parameters<Writes['addIssued']>)) as never
      return this.#transact(name, args)
    })
  }

  /** Some work over a connection of its own; again, as long as nothing was stored and another try may help. */
  use<T>(work: (session: Session) => Promise<T>): Promise<T> {
    return this.#call(() => this.#again(work))
  }

  /** Takes no further calls, and resolves once those under way are answered. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.allSettled(this.#calls)
  }

  #call<T>(run: () => Promise<T>): Promise<T> {
    if (this.#isClosed) return Promise.reject(new StorageError('closed', 'The database is closed.'))
    const call = run()
    this.#calls.add(call)
    const settled = (): void => void this.#calls.delete(call)
    call.then(settled, settled)
    return call
  }

  #transact<K extends WriteName>(name: K, args: Parameters<Writes[K]>): Promise<WriteResult<K>> {
    const operation = this.#writes[name] as (...given: unknown[]) => Operation<WriteResult<K>>
    return this.#again((session) => transact(session, operation(...args)))
  }

  async #again<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const untilMs = performance.now() + this.#settings.busyTimeoutMs
    for (let tries = 1; ; tries++) {
      try {
        return await this.#once(work, Math.max(0, untilMs - performance.now()))
      } catch (error) {
        const after = recourse(error)
        const isOver = performance.now() >= untilMs || (after === 'retry' && tries >= mostTries)
        if (after === 'none' || isOver) throw storageError(error)
        if (after !== 'retry') continue
        this.#retries += 1
        await sleep(firstPauseMs * 2 ** (tries - 1) * Math.random())
      }
    }
  }

  /** @throws the server's error as it is, or a StorageError */
  async #once<T>(
    work: (session: Session) => Promise<T>,
    patienceMs: number = this.#settings.busyTimeoutMs,
  ): Promise<T> {
    const session = await this.#pool.acquire(patienceMs)
    try {
      return await work(session)
    } catch (error) {
      if (recourse(error) === 'reconnect' || storageError(error).code === 'outcome_unknown') session.destroy()
      throw error
    } finally {
      this.#pool.release(session)
    }
  }
}
