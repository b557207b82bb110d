/** Something that ends, and knows its own place in the heap. */
interface Ending {
  readonly principal: { readonly expiresAt: number }
  place: number
}

/** Whoever ends first comes first; taking somebody out needs no search. */
export class ExpiryHeap<One extends Ending> {
  readonly #ones: One[] = []

  get first(): One | undefined {
    return this.#ones[0]
  }

  all(): One[] {
    return [...this.#ones]
  }

  /** Everybody who has ended by then, in no order. */
  until(seconds: number): One[] {
    const found: One[] = []
    const visit = (place: number): void => {
      const one = this.#ones[place]
      if (one === undefined || one.principal.expiresAt > seconds) return
      found.push(one)
      visit(2 * place + 1)
      visit(2 * place + 2)
    }
    visit(0)
    return found
  }

  add(one: One): void {
    this.#put(one, this.#ones.length)
    this.#rise(one)
  }

  remove(one: One): void {
    const { place } = one
    one.place = -1
    const last = this.#ones.pop()
    if (last === undefined || last === one) return
    this.#put(last, place)
    this.#rise(last)
    this.#sink(last)
  }

  #put(one: One, place: number) {
    this.#ones[place] = one
    one.place = place
  }

  #rise(one: One) {
    while (one.place > 0) {
      const above = this.#ones[(one.place - 1) >> 1]
      if (above === undefined || above.principal.expiresAt <= one.principal.expiresAt) return
      this.#swap(above, one)
    }
  }

  #sink(one: One) {
    for (;;) {
      const left = this.#ones[2 * one.place + 1]
      const right = this.#ones[2 * one.place + 2]
      const child = right !== undefined && left !== undefined && sooner(right, left) ? right : left
      if (child === undefined || !sooner(child, one)) return
      this.#swap(one, child)
    }
  }

  /** @param below comes up, and the other takes its place */
  #swap(above: One, below: One) {
    const { place } = above
    this.#put(above, below.place)
    this.#put(below, place)
  }
}

function sooner(one: Ending, other: Ending): boolean {
  return one.principal.expiresAt < other.principal.expiresAt
}
