/** What one row is on the page. */
export interface Item<Row> {
  readonly element: HTMLElement
  update(row: Row): void
  remove?(): void
}

/** A list that is changed in place, so that the focus, and what is open, stays where it is. */
export class KeyedList<Row extends { readonly _id: string }> {
  readonly #list: HTMLElement
  readonly #make: (row: Row) => Item<Row>
  readonly #items = new Map<string, Item<Row>>()

  constructor(list: HTMLElement, make: (row: Row) => Item<Row>) {
    this.#list = list
    this.#make = make
  }

  show(rows: readonly Row[]): void {
    const ids = new Set(rows.map(({ _id }) => _id))
    for (const [id, item] of this.#items) {
      if (ids.has(id)) continue
      const hadFocus = item.element.contains(document.activeElement)
      item.remove?.()
      item.element.remove()
      this.#items.delete(id)
      // Somewhere near, instead of the beginning of the page.
      if (hadFocus) this.#list.closest('section')?.querySelector<HTMLElement>('input, select, button, a')?.focus()
    }
    for (const [at, row] of rows.entries()) {
      const item = this.#items.get(row._id) ?? this.#make(row)
      this.#items.set(row._id, item)
      item.update(row)
      const there = this.#list.children.item(at)
      if (there !== item.element) this.#list.insertBefore(item.element, there)
    }
  }
}
