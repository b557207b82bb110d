/** Finds by an id who is watched under it. Most ids have one watch, which is held without a Set. */
export class WatchIndex<Watch extends object> {
  readonly #byId: Map<string, Watch | Set<Watch>> = new Map()

  /** How many ids are held. */
  get size(): number {
    return this.#byId.size
  }

  get(id: string): Iterable<Watch> {
    const held = this.#byId.get(id)
    if (held === undefined) return []
    return held instanceof Set ? held : [held]
  }

  add(id: string, watch: Watch): void {
    const held = this.#byId.get(id)
    if (held === undefined) this.#byId.set(id, watch)
    else if (held instanceof Set) held.add(watch)
    else if (held !== watch) this.#byId.set(id, new Set([held, watch]))
  }

  remove(id: string, watch: Watch): void {
    const held = this.#byId.get(id)
    if (held instanceof Set) {
      held.delete(watch)
      if (held.size === 0) this.#byId.delete(id)
    } else if (held === watch) this.#byId.delete(id)
  }
}
