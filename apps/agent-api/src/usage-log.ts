import { randomUUID } from 'node:crypto'

/** One message that was answered. Nothing of who wrote it or what it says. */
export interface UsageEntry {
  /** From 1, without gaps. */
  readonly sequence: number
  /** A built-in agent's id; `own` for somebody's own, whose id would tell two people apart. */
  readonly agent: string
  /** Of the message and of the reply. */
  readonly words: number
  /** Unix seconds. */
  readonly at: number
}

export interface UsagePage {
  /** Another one after a restart: sequences begin anew then. */
  readonly log: string
  /** The first sequence that is still kept; whoever asks for earlier ones has lost those before it. */
  readonly oldest: number
  /** The last sequence given; 0 when nothing was used yet. */
  readonly latest: number
  readonly usage: readonly UsageEntry[]
}

/** What was used, in memory: the oldest entries make room. */
export class UsageLog {
  readonly #id: string
  readonly #capacity: number
  readonly #entries: UsageEntry[] = []
  #latest = 0

  /** @param capacity most entries kept */
  constructor(capacity: number, newId: () => string = randomUUID) {
    this.#capacity = capacity
    this.#id = newId()
  }

  add(entry: Omit<UsageEntry, 'sequence'>): void {
    this.#latest += 1
    this.#entries[this.#slot(this.#latest)] = { sequence: this.#latest, ...entry }
  }

  /** At most `limit` entries after the sequence, oldest first. */
  page(after: number, limit: number): UsagePage {
    const oldest = Math.max(1, this.#latest - this.#capacity + 1)
    const usage: UsageEntry[] = []
    for (let sequence = Math.max(after + 1, oldest); sequence <= this.#latest && usage.length < limit; sequence += 1) {
      const entry = this.#entries[this.#slot(sequence)]
      if (entry !== undefined) usage.push(entry)
    }
    return { log: this.#id, oldest, latest: this.#latest, usage }
  }

  /** A ring: an entry is never moved. */
  #slot(sequence: number): number {
    return (sequence - 1) % this.#capacity
  }
}
