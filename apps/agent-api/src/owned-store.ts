import type { Principal } from '@countersign/tokens'

export interface OwnedStoreLimits {
  /** Most entries of one owner; past it nothing is added. */
  readonly perOwner: number
  /** Most entries of all; past it the oldest of all makes room. */
  readonly total: number
}

interface Entry<Value> {
  readonly owner: string
  value: Value
}

/**
 * Values in memory that belong to whoever made them. Nobody else's are ever found: to others they do not exist.
 * Everything is gone when the process ends.
 */
export class OwnedStore<Value extends { readonly id: string }> {
  readonly #limits: OwnedStoreLimits
  readonly #entries = new Map<string, Entry<Value>>()
  readonly #counts = new Map<string, number>()

  constructor(limits: OwnedStoreLimits) {
    this.#limits = limits
  }

  get size(): number {
    return this.#entries.size
  }

  /** @returns false if the owner has as many as one may have */
  add(owner: string, value: Value): boolean {
    if (this.#count(owner) >= this.#limits.perOwner) return false
    const oldest = this.#entries.size >= this.#limits.total ? this.#entries.entries().next().value : undefined
    if (oldest !== undefined) this.#remove(oldest[0], oldest[1].owner)
    this.#entries.set(value.id, { owner, value })
    this.#counts.set(owner, this.#count(owner) + 1)
    return true
  }

  get(owner: string, id: string): Value | undefined {
    const entry = this.#entries.get(id)
    return entry?.owner === owner ? entry.value : undefined
  }

  /** Oldest first. */
  list(owner: string): readonly Value[] {
    if (this.#count(owner) === 0) return []
    return [...this.#entries.values()].filter((entry) => entry.owner === owner).map((entry) => entry.value)
  }

  /** Puts another value in the place of one that is there. @returns false if it is not */
  replace(owner: string, value: Value): boolean {
    const entry = this.#entries.get(value.id)
    if (entry?.owner !== owner) return false
    entry.value = value
    return true
  }

  /** @returns false if the owner has no such value */
  delete(owner: string, id: string): boolean {
    if (this.#entries.get(id)?.owner !== owner) return false
    this.#remove(id, owner)
    return true
  }

  #count(owner: string): number {
    return this.#counts.get(owner) ?? 0
  }

  #remove(id: string, owner: string): void {
    this.#entries.delete(id)
    const left = this.#count(owner) - 1
    if (left === 0) this.#counts.delete(owner)
    else this.#counts.set(owner, left)
  }
}

/** Issuer and subject together are the identity: two issuers may each have a `user_1`. */
export function ownerOf({ issuer, subject }: Pick<Principal, 'issuer' | 'subject'>): string {
  return JSON.stringify([issuer, subject])
}
