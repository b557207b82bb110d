import type { Row, Rows } from './rows.ts'

type Json = Readonly<Record<string, unknown>>
type Path = readonly (string | number)[]

interface Leaf {
  readonly path: Path
  /** What the caller has of the same kind. */
  readonly own: string
}

/** Most mixtures of one call. */
const most = 24

/**
 * The arguments with some of their foreign values replaced by the caller's own: a function that looks at one of two ids,
 * or at the first of a list, lets such a call in and goes on with the other.
 */
export function mixtures(args: Json, rows: Rows, isHidden: (row: Row) => boolean): readonly Json[] {
  const leaves = findLeaves(args, [], rows, isHidden)
  const found: Json[] = []
  for (const { path, own } of leaves) {
    found.push(replaced(args, [{ path, own }]))
    found.push(
      replaced(
        args,
        leaves.filter((one) => one.path !== path),
      ),
    )
    found.push(...beside(args, path, own))
  }
  found.push(...withKeys(args, [], rows, isHidden).map((mix) => mix(args)))
  const seen = new Set([JSON.stringify(args), JSON.stringify(replaced(args, leaves))])
  return found.filter((one) => !seen.has(JSON.stringify(one)) && seen.add(JSON.stringify(one))).slice(0, most)
}

function findLeaves(value: unknown, path: Path, rows: Rows, isHidden: (row: Row) => boolean): readonly Leaf[] {
  if (typeof value === 'string') {
    const own = ownValue(value, rows, isHidden)
    return own === undefined ? [] : [{ path, own }]
  }
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, one]) => {
    const step = Array.isArray(value) ? Number(name) : name
    return findLeaves(one, [...path, step], rows, isHidden)
  })
}

/** The value of the same field of a row that the caller does see. */
function ownValue(value: string, rows: Rows, isHidden: (row: Row) => boolean): string | undefined {
  for (const hidden of rows.values()) {
    if (!isHidden(hidden)) continue
    const field = Object.keys(hidden.document).find((name) => hidden.document[name] === value)
    if (field === undefined) continue
    for (const row of rows.values()) {
      const own = row.document[field]
      if (row.table === hidden.table && !isHidden(row) && typeof own === 'string' && own !== value) return own
    }
  }
  return undefined
}

function replaced(args: Json, leaves: readonly Leaf[]): Json {
  return leaves.reduce<Json>((so, { path, own }) => edit(so, path, () => own) as Json, args)
}

/** Records whose keys are foreign, each with a key of the caller's own before it and after it. */
function withKeys(
  value: unknown,
  path: Path,
  rows: Rows,
  isHidden: (row: Row) => boolean,
): readonly ((args: Json) => Json)[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, one]) => {
    const own = Array.isArray(value) ? undefined : ownValue(name, rows, isHidden)
    const deeper = withKeys(one, [...path, Array.isArray(value) ? Number(name) : name], rows, isHidden)
    if (own === undefined) return deeper
    const first = (args: Json) => edit(args, path, (record) => ({ [own]: one, ...(record as object) })) as Json
    const last = (args: Json) => edit(args, path, (record) => ({ ...(record as object), [own]: one })) as Json
    return [first, last, ...deeper]
  })
}

/** One of a list with the caller's own before it and after it. */
function beside(args: Json, path: Path, own: string): readonly Json[] {
  const at = path.at(-1)
  if (typeof at !== 'number') return []
  return [0, 1].map(
    (after) =>
      edit(args, path.slice(0, -1), (list) =>
        Array.isArray(list) ? list.toSpliced(at + after, 0, own) : list,
      ) as Json,
  )
}

function edit(value: unknown, path: Path, change: (value: unknown) => unknown): unknown {
  const [step, ...rest] = path
  if (step === undefined) return change(value)
  if (Array.isArray(value)) return value.map((one, index) => (index === step ? edit(one, rest, change) : one))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [name, name === step ? edit(one, rest, change) : one]),
  )
}
