/** Names seen a short time ago; the ones seen longest ago make room. */
export class RecentNames {
  readonly #most: number
  readonly #lifeMs: number
  readonly #seenAtMs: Map<string, number> = new Map()

  constructor(most: number, lifeMs: number) {
    this.#most = most
    this.#lifeMs = lifeMs
  }

  get size(): number {
    return this.#seenAtMs.size
  }

  has(name: string, nowMs: number): boolean {
    const seenAtMs = this.#seenAtMs.get(name)
    if (seenAtMs === undefined) return false
    if (nowMs - seenAtMs < this.#lifeMs) return true
    this.#seenAtMs.delete(name)
    return false
  }

  add(name: string, nowMs: number): void {
    this.#seenAtMs.delete(name)
    if (this.#seenAtMs.size >= this.#most) {
      const [oldest] = this.#seenAtMs.keys()
      if (oldest !== undefined) this.#seenAtMs.delete(oldest)
    }
    this.#seenAtMs.set(name, nowMs)
  }

  clear(): void {
    this.#seenAtMs.clear()
  }
}
