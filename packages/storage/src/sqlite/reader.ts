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
  readonly #connection: Connection
  readonly #options: ReaderOptions
  readonly #version: () => number
  #isClosed = false

  constructor(path: string, options: ReaderOptions) {
    this.#options = options
    try {
      this.#connection = new Connection(path, { readOnly: true })
    } catch (error) {
      throw storageError(error)
    }
    const version = this.#connection.database.prepare('PRAGMA data_version').pluck()
    this.#version = () => version.get() as number
  }

  async read<T>(operation: () => Operation<T>): Promise<T> {
    const { busyTimeoutMs, clock } = this.#options
    let until: number | undefined
    for (;;) {
      if (this.#isClosed) throw new StorageError('closed', 'The database is closed.')
      try {
        return perform(operation(), this.#connection.execute)
      } catch (error) {
        until ??= clock.monotonicMs() + busyTimeoutMs
        if (!isBusy(error) || clock.monotonicMs() >= until) throw storageError(error)
      }
      await new Promise<void>((resolve) => void clock.after(retryMs, resolve))
    }
  }

  /** Another number whenever another connection has committed. */
  version(): number {
    return this.#version()
  }

  close(): void {
    this.#isClosed = true
    this.#connection.close()
  }
}
