/** A map of bounded size; what was used longest ago makes room. */
export class Recent<K, V> {
  readonly #most: number
  readonly #held = new Map<K, V>()

  constructor(most: number) {
    this.#most = most
  }

  get(key: K): V | undefined {
    const value = this.#held.get(key)
    if (value === undefined) return undefined
    this.#held.delete(key)
    this.#held.set(key, value)
    return value
  }

  set(key: K, value: V): void {
    this.#held.set(key, value)
    if (this.#held.size <= this.#most) return
    for (const oldest of this.#held.keys()) {
      this.#held.delete(oldest)
      return
    }
  }

  clear(): void {
    this.#held.clear()
  }
}
