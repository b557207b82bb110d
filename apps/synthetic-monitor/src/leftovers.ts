import type { Clock } from '@countersign/tokens'
import { within } from './within.ts'

type End = (signal: AbortSignal) => Promise<void>

interface Leftover {
  readonly end: End
  /** Unix seconds; then it has ended by itself. */
  readonly until: number
}

/** No token of a probe's lives longer. */
const longestLifeSeconds = 43_200
const most = 64

/** What probes have opened and not ended yet: sessions whose end could not be reached are tried again. */
export class Leftovers {
  readonly #clock: Clock
  readonly #timeoutMs: number
  #open: Leftover[] = []

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock
    this.#timeoutMs = timeoutMs
  }

  get size(): number {
    return this.#open.length
  }

  /** @returns ends it now; what fails stays here */
  add(end: End): End {
    const leftover = { end, until: this.#clock.now() + longestLifeSeconds }
    this.#open = [...this.#open, leftover].slice(-most)
    return async (signal) => {
      await end(signal)
      this.#forget(leftover)
    }
  }

  /** Ends everything, for so long and no longer. @returns whether nothing is left */
  async end(): Promise<boolean> {
    const now = this.#clock.now()
    this.#open = this.#open.filter(({ until }) => until > now)
    const endAll = (signal: AbortSignal): Promise<unknown> =>
      // One that cannot be ended must not keep the others.
      Promise.allSettled(this.#open.map((leftover) => leftover.end(signal).then(() => this.#forget(leftover))))
    if (this.#open.length > 0) {
      await within({ clock: this.#clock, ms: this.#timeoutMs }, endAll).catch(() => undefined)
    }
    return this.#open.length === 0
  }

  #forget(leftover: Leftover): void {
    this.#open = this.#open.filter((other) => other !== leftover)
  }
}
