import type { Clock } from '@countersign/tokens'

/** Something with one next moment; kept in the schedule by these two fields, so that it costs no further object. */
export interface Scheduled {
  /** Milliseconds on the schedule's own clock. */
  dueMs: number
  /** Its place in the heap; −1 when it is not there. Written by the schedule only. */
  heapIndex: number
  onDue(nowMs: number): void
}

/** Milliseconds after which an item is called again that said nothing. */
const idleMs = 60_000

/**
 * One timer for every socket: a timer each would take as much memory as the rest of a session. A binary heap, so that
 * what is due is called at its millisecond whatever else waits.
 */
export class Schedule<Item extends Scheduled = Scheduled> {
  readonly #clock: Clock
  readonly #originMs: number
  readonly #heap: Item[] = []
  #armedMs = Number.POSITIVE_INFINITY
  #disarm: (() => void) | undefined
  #running = false

  constructor(clock: Clock) {
    this.#clock = clock
    this.#originMs = clock.monotonicMs()
  }

  /** Whole milliseconds since the schedule was made: small integers, which V8 keeps without a box. */
  nowMs(): number {
    return Math.floor(this.#clock.monotonicMs() - this.#originMs)
  }

  set(item: Item, dueMs: number): void {
    item.dueMs = dueMs
    if (item.heapIndex < 0) {
      item.heapIndex = this.#heap.length
      this.#heap.push(item)
      this.#rise(item)
    } else {
      this.#rise(item)
      this.#sink(item)
    }
    this.#arm()
  }

  remove(item: Item): void {
    const index = item.heapIndex
    if (index < 0) return
    item.heapIndex = -1
    const last = this.#heap.pop()
    if (last === undefined || last === item) return
    this.#place(last, index)
    this.#rise(last)
    this.#sink(last)
  }

  get size(): number {
    return this.#heap.length
  }

  /** Everything that is in it, in no order. */
  all(): Item[] {
    return [...this.#heap]
  }

  clear(): void {
    for (const item of this.#heap.splice(0)) item.heapIndex = -1
    this.#disarm?.()
    this.#disarm = undefined
    this.#armedMs = Number.POSITIVE_INFINITY
  }

  /** A timer that fires early finds nothing due and is armed again: cheaper than moving it at every change. */
  #arm(): void {
    const first = this.#heap[0]
    if (this.#running || first === undefined || first.dueMs >= this.#armedMs) return
    this.#disarm?.()
    this.#armedMs = first.dueMs
    this.#disarm = this.#clock.after(Math.max(1, first.dueMs - this.nowMs()), () => this.#run())
  }

  #run(): void {
    this.#disarm = undefined
    this.#armedMs = Number.POSITIVE_INFINITY
    this.#running = true
    const nowMs = this.nowMs()
    try {
      for (let first = this.#heap[0]; first !== undefined && first.dueMs <= nowMs; first = this.#heap[0]) {
        // It stays, and says itself when it is next.
        this.set(first, nowMs + idleMs)
        first.onDue(nowMs)
      }
    } finally {
      this.#running = false
      this.#arm()
    }
  }

  #place(item: Item, index: number): void {
    this.#heap[index] = item
    item.heapIndex = index
  }

  #rise(item: Item): void {
    let index = item.heapIndex
    while (index > 0) {
      const above = (index - 1) >> 1
      const parent = this.#heap[above]
      if (parent === undefined || parent.dueMs <= item.dueMs) break
      this.#place(parent, index)
      index = above
    }
    this.#place(item, index)
  }

  #sink(item: Item): void {
    let index = item.heapIndex
    for (;;) {
      const left = this.#heap[2 * index + 1]
      const right = this.#heap[2 * index + 2]
      const child = right !== undefined && left !== undefined && right.dueMs < left.dueMs ? right : left
      if (child === undefined || child.dueMs >= item.dueMs) break
      const below = child.heapIndex
      this.#place(child, index)
      index = below
    }
    this.#place(item, index)
  }
}
