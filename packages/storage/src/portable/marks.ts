import { fieldsOf, type Row, type Table } from './tables.ts'

/** What no later life of a database may fall behind. */
export interface Marks {
  readonly globalGeneration: number
  readonly feedEpoch: number
  /** By kid, with the key that took its place (JSON), where one was named. */
  readonly revokedKeys: ReadonlyMap<string, string | null>
}

/** Finds the marks among all the rows of a database. */
export class MarksReader {
  #globalGeneration = 0
  #feedEpoch = 0
  readonly #revokedKeys = new Map<string, string | null>()

  add(table: Table, rows: readonly Row[]): void {
    if (!['settings', 'revocation_log', 'revocation_entries'].includes(table.name)) return
    for (const row of rows) {
      const { name, value, epoch, type, id, successor } = fieldsOf(table, row)
      if (table.name === 'settings' && name === 'global_generation') this.#globalGeneration = Number(value)
      if (table.name === 'revocation_log') this.#feedEpoch = Number(epoch)
      if (type === 'kid') this.#revokedKeys.set(String(id), typeof successor === 'string' ? successor : null)
    }
  }

  read(): Marks {
    return {
      globalGeneration: this.#globalGeneration,
      feedEpoch: this.#feedEpoch,
      revokedKeys: this.#revokedKeys,
    }
  }
}
