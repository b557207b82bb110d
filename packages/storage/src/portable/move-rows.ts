import { StorageError } from '../storage-error.ts'
import type { Exclusive, Snapshot } from './database.ts'
import { type Row, type Table, tables } from './tables.ts'
import { RowCounter, type Tally } from './tally.ts'

/** What a database has from its making on, and what of that a copy replaces. */
const everPresent: ReadonlySet<string> = new Set(['settings', 'revocation_log'])

export async function isEmpty(database: Snapshot): Promise<boolean> {
  for (const table of tables) {
    if (!everPresent.has(table.name) && (await database.count(table)) > 0) return false
  }
  return true
}

export async function countAll(database: Snapshot): Promise<Readonly<Record<string, number>>> {
  const counts: Record<string, number> = {}
  for (const table of tables) counts[table.name] = await database.count(table)
  return counts
}

/** Counts what goes into a database, then compares it with what the database says that it has. */
export class Delivery {
  readonly #to: Exclusive
  readonly #counters = new Map<string, RowCounter>()

  constructor(to: Exclusive) {
    this.#to = to
  }

  async insert(table: Table, rows: readonly Row[]): Promise<void> {
    if (rows.length === 0) return
    const counter = this.#counters.get(table.name) ?? new RowCounter()
    this.#counters.set(table.name, counter)
    for (const row of rows) counter.add(row)
    await this.#to.insert(table, rows)
  }

  /** @returns by table @throws StorageError `copy_differs` */
  async verify(): Promise<Readonly<Record<string, Tally>>> {
    const tallies: Record<string, Tally> = {}
    for (const table of tables) {
      const there = new RowCounter()
      for await (const rows of this.#to.rows(table)) for (const row of rows) there.add(row)
      const found = there.tally()
      const sent = (this.#counters.get(table.name) ?? new RowCounter()).tally()
      if (found.rows !== sent.rows || found.digest !== sent.digest) {
        throw new StorageError(
          'copy_differs',
          `The table ${table.name} reads back as ${found.rows} rows that are not the ${sent.rows} that were written.`,
        )
      }
      tallies[table.name] = found
    }
    return tallies
  }
}
