export interface BackoffOptions {
  /** @default 500 */
  readonly minMs: number
  /** @default 20000 */
  readonly maxMs: number
  /** Milliseconds of a connection after which the next wait is short again. @default 30000 */
  readonly stableMs: number
}

/** Full jitter: anything from the least to a bound that doubles, so that clients that fell together rise apart. */
export class Backoff {
  readonly #options: BackoffOptions
  readonly #random: () => number
  #failures = 0

  constructor(options: BackoffOptions, random: () => number) {
    this.#options = options
    this.#random = random
  }

  nextMs(): number {
    const { minMs, maxMs } = this.#options
    const boundMs = Math.min(maxMs, minMs * 2 ** Math.min(this.#failures + 1, 30))
    this.#failures += 1
    return minMs + this.#random() * (boundMs - minMs)
  }

  get isFresh(): boolean {
    return this.#failures === 0
  }

  reset(): void {
    this.#failures = 0
  }
}
