import type { AnyCaller } from './world.ts'

export interface Row {
  readonly table: string
  readonly document: Readonly<Record<string, unknown>>
  readonly text: string
}

/** By id. */
export type Rows = ReadonlyMap<string, Row>

export async function readRows(t: AnyCaller, tables: readonly string[]): Promise<Rows> {
  const found = new Map<string, Row>()
  await t.run(async (ctx) => {
    for (const table of tables) {
      for (const document of await ctx.db.query(table).collect()) {
        found.set(String(document._id), { table, document, text: asText(document) })
      }
    }
  })
  return found
}

/** A row that one of these callers is not to see, and that was made, changed or taken away. */
export function changedRow(before: Rows, after: Rows, isHidden: (row: Row) => boolean): string | undefined {
  for (const [id, row] of before) {
    if (isHidden(row) && after.get(id)?.text !== row.text) return `${row.table}: ${row.text}`
  }
  for (const [id, row] of after) {
    if (isHidden(row) && before.get(id)?.text !== row.text) return `${row.table}: ${row.text}`
  }
  return undefined
}

/** A hidden row whose id came back: an id that was asked with may be echoed, the row itself may not. */
export function leakedRow(
  answer: string,
  args: object,
  before: Rows,
  isHidden: (row: Row) => boolean,
): string | undefined {
  const asked = asText(args)
  for (const [id, row] of before) {
    if (!isHidden(row) || !answer.includes(`"${id}"`)) continue
    if (!asked.includes(`"${id}"`) || answer.includes('"_creationTime"')) return `${row.table}: ${row.text}`
  }
  return undefined
}

/** As text in which equal values are equal: what was seeded or made just now has no time of its own. */
export function asComparable(value: unknown, since: number): string {
  return asText(value, (one) => (typeof one === 'number' && one >= since && one <= Date.now() + 1_000 ? 'now' : one))
}

export function asText(value: unknown, replace: (one: unknown) => unknown = (one) => one): string {
  const text = JSON.stringify(value, (_name, one: unknown) => replace(typeof one === 'bigint' ? `${one}n` : one))
  return text ?? ''
}
