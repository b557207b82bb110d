import { fieldsOf, type Row, type Table } from './tables.ts'

/** What no later life of a database may fall behind. */
export interface Marks {
  readonly globalGeneration: number
  readonly feedEpoch: number
  /** By kid, with the key that took its place (JSON), where one was named. */
  readonly revokedKeys: ReadonlyMap<string, string | null>
  /** Keys that a ring itself has revoked, of whatever purpose. */
  readonly revokedInRings: ReadonlySet<string>
}

const tablesWithMarks: ReadonlySet<string> = new Set(['settings', 'key_rings', 'revocation_log', 'revocation_entries'])

/** A ring that cannot be read is for the service to refuse, not for a copy. */
function revokedIn(document: string): readonly string[] {
  let ring: unknown
  try {
    ring = JSON.parse(document)
  } catch {
    return []
  }
  if (typeof ring !== 'object' || ring === null || !('keys' in ring) || !Array.isArray(ring.keys)) return []
  const keys: readonly unknown[] = ring.keys
  return keys.flatMap((key) => {
    if (typeof key !== 'object' || key === null || !('state' in key) || !('kid' in key)) return []
    return key.state === 'revoked' && typeof key.kid === 'string' ? [key.kid] : []
  })
}

/** Finds the marks among all the rows of a database. */
export class MarksReader {
  #globalGeneration = 0
  #feedEpoch = 0
  readonly #revokedKeys = new Map<string, string | null>()
  readonly #revokedInRings = new Set<string>()

  add(table: Table, rows: readonly Row[]): void {
    if (!tablesWithMarks.has(table.name)) return
    for (const row of rows) {
      const { name, value, epoch, type, id, successor, document } = fieldsOf(table, row)
      if (typeof document === 'string') for (const kid of revokedIn(document)) this.#revokedInRings.add(kid)
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
      revokedInRings: this.#revokedInRings,
    }
  }
}
