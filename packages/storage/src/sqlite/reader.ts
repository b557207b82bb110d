import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Operation, perform } from '../operation.ts'
import { StorageError } from '../storage-error.ts'
import type { StorageClock } from './clock.ts'
import { Connection } from './connection.ts'
import { isBusy, storageError } from './failure.ts'

/** Between tries, while another process recovers or truncates the log: nothing else ever blocks a reader. */
const retryMs = 5

export interface ReaderOptions {
  readonly busyTimeoutMs: number
  readonly clock: StorageClock
}

/** A read-only connection in this thread: a look-up takes microseconds, less than to ask another thread. */
export class Reader {
  readonly #path: string
  readonly #connection: Connection
  /** Of steady reads, while they last. */
  readonly #others = new Set<Connection>()
  readonly #options: ReaderOptions
  readonly #version: () => number
  #isClosed = false

  constructor(path: string, options: ReaderOptions) {
    this.#path = path
    this.#options = options
    try {
      this.#connection = new Connection(path, { readOnly: true })
    } catch (error) {
      throw storageError(error)
    }
    const version = this.#connection.database.prepare('PRAGMA data_version').pluck()
    this.#version = () => version.get() as number
  }

  read<T>(operation: () => Operation<T>): Promise<T> {
    return this.#patiently(async () => perform(operation(), this.#connection.execute))
  }

  /** In a transaction over a connection of its own, with a turn of the event loop after each statement. */
  readSteadily<T>(operation: () => Operation<T>): Promise<T> {
    return this.#patiently(async () => {
      const connection = new Connection(this.#path, { readOnly: true })
      this.#others.add(connection)
      try {
        connection.database.exec('BEGIN')
        const steps = operation()
        let step = steps.next()
        while (step.done !== true) {
          const result = connection.execute(step.value)
          await nextTurn()
          this.#refuseClosed()
          step = steps.next(result)
        }
        return step.value
      } finally {
        this.#others.delete(connection)
        connection.close()
      }
    })
  }

  async #patiently<T>(look: () => Promise<T>): Promise<T> {
    const { busyTimeoutMs, clock } = this.#options
    let until: number | undefined
    for (;;) {
      this.#refuseClosed()
      try {
        return await look()
      } catch (error) {
        until ??= clock.monotonicMs() + busyTimeoutMs
        if (!isBusy(error) || clock.monotonicMs() >= until) throw storageError(error)
      }
      // The clock's timers do not keep a process alive, but here somebody waits.
      const alive = setInterval(() => {}, retryMs)
      await new Promise<void>((resolve) => void clock.after(retryMs, resolve))
      clearInterval(alive)
    }
  }

  #refuseClosed(): void {
    if (this.#isClosed) throw new StorageError('closed', 'The database is closed.')
  }

  /** Another number whenever another connection has committed. */
  version(): number {
    return this.#version()
  }

  close(): void {
    this.#isClosed = true
    this.#connection.close()
    for (const connection of this.#others) connection.close()
  }
}
