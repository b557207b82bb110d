/** Waits between tries: full jitter under a bound that doubles, so that a fleet does not come back as one. */
export class Backoff {
  readonly #leastMs: number
  readonly #mostMs: number
  readonly #random: () => number
  #tries = 0

  constructor(leastMs: number, mostMs: number, random: () => number) {
    this.#leastMs = leastMs
    this.#mostMs = mostMs
    this.#random = random
  }

  nextMs(): number {
    const boundMs = Math.min(this.#mostMs, this.#leastMs * 2 ** Math.min(this.#tries, 30))
    this.#tries += 1
    return this.#random() * boundMs
  }

  reset(): void {
    this.#tries = 0
  }
}
