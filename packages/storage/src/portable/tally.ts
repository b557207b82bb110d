import { hash } from 'node:crypto'
import type { Row } from './tables.ts'

/** How many rows, and a digest of them that does not depend on their order: engines sort differently. */
export interface Tally {
  readonly rows: number
  /** The XOR of the SHA-256 of each row as JSON, in hexadecimal. No two rows of a table are the same. */
  readonly digest: string
}

export class RowCounter {
  #rows = 0
  readonly #digest = Buffer.alloc(32)

  add(row: Row): void {
    this.#rows += 1
    const one = hash('sha256', JSON.stringify(row), 'buffer')
    for (let i = 0; i < 32; i++) this.#digest[i] = (this.#digest[i] ?? 0) ^ (one[i] ?? 0)
  }

  get rows(): number {
    return this.#rows
  }

  tally(): Tally {
    return { rows: this.#rows, digest: this.#digest.toString('hex') }
  }
}
