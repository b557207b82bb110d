import type { Marks } from './marks.ts'
import { fieldsOf, type Row, rowOf, type Table } from './tables.ts'

/** No token lives longer: a ring's overlap is at most 30 days, and a verifier may be two minutes late. */
const longestTokenSeconds = 31 * 86_400

/**
 * What a restored database is other than the one that was saved. The generation of all tokens rises above every one that
 * was ever given out, and the feed begins anew in a later epoch: whatever was spent or revoked after the backup is refused
 * with everything else of that time, and no follower takes the new feed for an old one.
 */
export class NewLife {
  readonly globalGeneration: number
  readonly feedEpoch: number
  readonly #now: number
  /** Keys that are revoked beyond those of the backup. */
  readonly #revokedKeys: ReadonlyMap<string, string | null>

  /**
   * @param replaced of the database that was there before, if it can be read
   * @param revokedKeys known from elsewhere to be revoked
   */
  constructor(saved: Marks, replaced: Marks | undefined, revokedKeys: readonly string[], now: number) {
    this.#now = now
    this.#revokedKeys = new Map([
      ...revokedKeys.filter((kid) => !saved.revokedKeys.has(kid)).map((kid) => [kid, null] as const),
      ...(replaced?.revokedKeys ?? []),
    ])
    this.globalGeneration = Math.max(saved.globalGeneration + 1, (replaced?.globalGeneration ?? 0) + 1, now)
    this.feedEpoch = Math.max(saved.feedEpoch + 1, (replaced?.feedEpoch ?? 0) + 1, now)
  }

  /** The rows of a table as they go in. */
  change(table: Table, rows: readonly Row[]): readonly Row[] {
    switch (table.name) {
      case 'settings':
        return rows.filter((row) => fieldsOf(table, row).name !== 'global_generation')
      case 'sessions':
        return rows.map((row) => this.#ended(table, row))
      case 'revocation_entries':
        return rows.filter((row) => !this.#isReplaced(fieldsOf(table, row)))
      // Of the life before: followers take the snapshot, and acknowledge anew.
      case 'revocation_log':
      case 'revocation_events':
      case 'consumer_acknowledgements':
        return []
      default:
        return rows
    }
  }

  /** What a table has besides. */
  added(table: Table): readonly Row[] {
    const { globalGeneration, feedEpoch: epoch } = this
    switch (table.name) {
      case 'settings':
        return [rowOf(table, { name: 'global_generation', value: globalGeneration })]
      case 'revocation_log':
        return [rowOf(table, { id: 1, epoch, seq: 0 })]
      case 'revocation_entries': {
        const until = this.#now + longestTokenSeconds
        const everything = { type: 'global', id: '', min_generation: globalGeneration, until, successor: null }
        const keys = [...this.#revokedKeys].map(([id, successor]) => ({ type: 'kid', id, successor }))
        return [everything, ...keys].map((fields) => rowOf(table, fields))
      }
      default:
        return []
    }
  }

  /** Nobody can refresh any of them, and lists should say so. */
  #ended(table: Table, row: Row): Row {
    const session = fieldsOf(table, row)
    if (session.ended_at !== null) return row
    const ended = { ended_at: this.#now, end_reason: 'revoked' }
    return rowOf(table, {
      ...(session as Record<string, string | number | null>),
      ...ended,
      keep_until: Math.max(Number(session.issued_until), this.#now),
    })
  }

  #isReplaced({ type, id }: Readonly<Record<string, unknown>>): boolean {
    return type === 'global' || (type === 'kid' && this.#revokedKeys.has(String(id)))
  }
}
