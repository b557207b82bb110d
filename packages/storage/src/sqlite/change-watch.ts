import type { StorageClock } from './clock.ts'

export interface ChangeWatchOptions {
  /** Another number whenever another connection has committed (PRAGMA data_version). */
  readonly version: () => number
  readonly clock: StorageClock
  readonly intervalMs: number
}

/** Calls back after commits of others, by looking at a number every so often; looks only while somebody listens. */
export class ChangeWatch {
  readonly #options: ChangeWatchOptions
  readonly #listeners = new Set<{ readonly call: () => void }>()
  #last: number | undefined
  #cancel: (() => void) | undefined
  #isClosed = false

  constructor(options: ChangeWatchOptions) {
    this.#options = options
  }

  add(call: () => void): () => void {
    if (this.#isClosed) return () => {}
    const listener = { call }
    this.#listeners.add(listener)
    if (this.#cancel === undefined) {
      this.#last = this.#read()
      this.#schedule()
    }
    return () => {
      this.#listeners.delete(listener)
      if (this.#listeners.size === 0) this.#stop()
    }
  }

  /** Calls nobody back from now on. */
  close(): void {
    this.#isClosed = true
    this.#listeners.clear()
    this.#stop()
  }

  #stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  #schedule(): void {
    this.#cancel = this.#options.clock.after(this.#options.intervalMs, () => {
      this.#schedule()
      const now = this.#read()
      if (now === undefined || now === this.#last) return
      this.#last = now
      // Each in a task of its own: one that throws must not keep the others from being called.
      for (const { call } of this.#listeners) queueMicrotask(call)
    })
  }

  /** `undefined` when it cannot be read now: the next look tells, and reads themselves say what is wrong. */
  #read(): number | undefined {
    try {
      return this.#options.version()
    } catch {
      return undefined
    }
  }
}
