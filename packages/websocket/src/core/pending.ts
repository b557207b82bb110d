/** Of a peer, or its /64; asked for when it is called, which may be never. */
export type Address = string | (() => string)

/**
 * Sockets that are not authenticated, oldest first, and how many of them an address has.
 *
 * To ask for an address is a system call. While there are fewer sockets in all than one address may have, none can have
 * too many: then nobody is asked. From there on all are, each once, so that the count is the same as if they always were.
 */
export class Pending<One> {
  readonly #most: number
  readonly #addresses: Map<One, Address> = new Map()
  readonly #countOf: Map<string, number> = new Map()
  #unasked = 0

  /** @param most sockets of one address */
  constructor(most: number) {
    this.#most = most
  }

  get size(): number {
    return this.#addresses.size
  }

  get oldest(): One | undefined {
    for (const one of this.#addresses.keys()) return one
    return undefined
  }

  /** What to `add` the next one with, or `undefined` where its address has as many as it may. */
  placeFor(address: Address): Address | undefined {
    if (this.size < this.#most) return address
    if (this.#unasked > 0) this.#askAll()
    const known = ask(address)
    return (this.#countOf.get(known) ?? 0) < this.#most ? known : undefined
  }

  add(one: One, address: Address): void {
    this.#addresses.set(one, address)
    if (typeof address === 'string') this.#count(address)
    else this.#unasked += 1
  }

  remove(one: One): void {
    const address = this.#addresses.get(one)
    if (address === undefined) return
    this.#addresses.delete(one)
    if (typeof address === 'string') this.#uncount(address)
    else this.#unasked -= 1
  }

  #askAll() {
    for (const [one, address] of this.#addresses) {
      if (typeof address === 'string') continue
      const known = ask(address)
      this.#addresses.set(one, known)
      this.#count(known)
    }
    this.#unasked = 0
  }

  #count(address: string) {
    this.#countOf.set(address, (this.#countOf.get(address) ?? 0) + 1)
  }

  #uncount(address: string) {
    const left = (this.#countOf.get(address) ?? 1) - 1
    if (left > 0) this.#countOf.set(address, left)
    else this.#countOf.delete(address)
  }
}

function ask(address: Address): string {
  return typeof address === 'string' ? address : address()
}
