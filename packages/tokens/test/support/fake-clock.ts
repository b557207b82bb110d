import type { Clock } from '../../src/clock.ts'

interface Timer {
  readonly atMs: number
  readonly call: () => void
}

/** A clock that stands still until it is moved. */
export class FakeClock implements Clock {
  #now: number
  #monotonicMs = 0
  readonly #timers: Set<Timer> = new Set()

  constructor(now = 1_800_000_000) {
    this.#now = now
  }

  now(): number {
    return this.#now
  }

  monotonicMs(): number {
    return this.#monotonicMs
  }

  after(ms: number, call: () => void): () => void {
    const timer = { atMs: this.#monotonicMs + ms, call }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  get timers(): number {
    return this.#timers.size
  }

  /** Time passes, on both clocks; timers fire in their order. */
  advance(seconds: number): void {
    const endMs = this.#monotonicMs + seconds * 1000
    for (;;) {
      const due = [...this.#timers].filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0]
      if (due === undefined) break
      this.#timers.delete(due)
      this.#now += Math.max(0, due.atMs - this.#monotonicMs) / 1000
      this.#monotonicMs = Math.max(this.#monotonicMs, due.atMs)
      due.call()
    }
    this.#now += (endMs - this.#monotonicMs) / 1000
    this.#monotonicMs = endMs
  }

  /** The wall clock is set; no time passes. */
  jump(seconds: number): void {
    this.#now += seconds
  }
}
