/** Lets through one thing every `refillMs`, and up to `burst` after a pause. */
export class TokenBucket {
  readonly #refillMs: number
  readonly #burst: number
  #tokens: number
  #countedAtMs: number

  constructor(refillMs: number, burst: number, nowMs: number) {
    this.#refillMs = refillMs
    this.#burst = burst
    this.#tokens = burst
    this.#countedAtMs = nowMs
  }

  /** Takes a token if there is one. */
  take(nowMs: number): boolean {
    if (this.waitMs(nowMs) > 0) return false
    this.#tokens -= 1
    return true
  }

  /** Milliseconds until there is a token. */
  waitMs(nowMs: number): number {
    const gained = (nowMs - this.#countedAtMs) / this.#refillMs
    this.#tokens = Math.min(this.#burst, this.#tokens + gained)
    this.#countedAtMs = nowMs
    return this.#tokens >= 1 ? 0 : Math.ceil((1 - this.#tokens) * this.#refillMs)
  }
}
