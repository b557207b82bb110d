import type { Schema } from '../schema.ts'

/** What a column holds in every engine; `?`: or null. */
export type Kind = 'text' | 'text?' | 'whole' | 'whole?'

type KindOf<V> = [V] extends [string]
  ? 'text'
  : [V] extends [number]
    ? 'whole'
    : [V] extends [string | null]
      ? 'text?'
      : [V] extends [number | null]
        ? 'whole?'
        : never

type Columns = { readonly [T in keyof Schema]: { readonly [C in keyof Schema[T]]: KindOf<Schema[T][C]> } }

/**
 * Every table with every column, as the compiler sees to: nothing that is stored is left out of a backup. Those that
 * others refer to come first.
 */
const columns: Columns = {
  settings: { name: 'text', value: 'whole' },
  key_rings: { name: 'text', version: 'whole', document: 'text' },
  users: {
    id: 'text',
    identifier: 'text',
    password_hash: 'text',
    generation: 'whole',
    synthetic: 'whole',
    scopes: 'text?',
    created_at: 'whole',
    disabled_at: 'whole?',
  },
  clients: {
    id: 'text',
    name: 'text',
    type: 'text',
    first_party: 'whole',
    grants: 'text',
    audiences: 'text',
    scopes: 'text?',
    origins: 'text',
    refresh_delivery: 'text',
    secrets: 'text',
    keys: 'text',
    generation: 'whole',
    synthetic: 'whole',
    created_at: 'whole',
    disabled_at: 'whole?',
  },
  sessions: {
    id: 'text',
    user_id: 'text',
    client_id: 'text',
    audience: 'text',
    scope: 'text',
    global_generation: 'whole',
    client_generation: 'whole',
    user_generation: 'whole',
    created_at: 'whole',
    expires_at: 'whole',
    ended_at: 'whole?',
    end_reason: 'text?',
    issued_until: 'whole',
    keep_until: 'whole',
  },
  refresh_tokens: {
    hash: 'text',
    session_id: 'text',
    created_at: 'whole',
    expires_at: 'whole',
    spent_at: 'whole?',
    predecessor: 'text?',
    sealed_successor: 'text?',
    replay_until: 'whole?',
  },
  issued_tokens: {
    jti: 'text',
    session_id: 'text',
    kid: 'text',
    audience: 'text',
    client_id: 'text',
    subject: 'text',
    issued_at: 'whole',
    expires_at: 'whole',
    revoked_at: 'whole?',
  },
  throttle: {
    key: 'text',
    failures: 'whole',
    window_started_at: 'whole',
    blocked_until: 'whole',
    forget_at: 'whole',
  },
  client_assertions: { id: 'text', until: 'whole' },
  revocation_log: { id: 'whole', epoch: 'whole', seq: 'whole' },
  revocation_entries: { type: 'text', id: 'text', min_generation: 'whole?', until: 'whole?', successor: 'text?' },
  revocation_events: {
    seq: 'whole',
    change: 'text',
    type: 'text',
    id: 'text',
    min_generation: 'whole?',
    until: 'whole?',
    successor: 'text?',
    at: 'whole',
  },
  consumer_acknowledgements: {
    consumer: 'text',
    instance: 'text',
    kids: 'text',
    epoch: 'whole',
    seq: 'whole',
    at: 'whole',
  },
  credential_store: { id: 'whole', identity: 'text' },
  credentials: {
    owner: 'text',
    name: 'text',
    version: 'whole',
    created_at: 'whole',
    updated_at: 'whole',
    sealed: 'text',
  },
}

/** What columns that came with a migration hold in rows from before it, unless it is null: the same as the migration says. */
const before: { readonly [T in keyof Schema]?: { readonly [C in keyof Schema[T]]?: Schema[T][C] } } = {
  users: { synthetic: 0 },
  clients: { synthetic: 0, keys: '[]' },
}

export type Value = string | number | null

export interface Column {
  readonly name: string
  readonly kind: Kind
  /** In rows of an older schema, which does not have it. Not a value of its kind: every schema has it. */
  readonly before: Value
}

export interface Table {
  readonly name: keyof Schema
  readonly columns: readonly Column[]
}

/** In the order in which rows can be put in. */
export const tables: readonly Table[] = Object.entries(columns).map(([name, of]) => {
  const defaults: Readonly<Record<string, Value>> = before[name as keyof Schema] ?? {}
  return {
    name: name as keyof Schema,
    columns: Object.entries(of).map(([column, kind]) => ({ name: column, kind, before: defaults[column] ?? null })),
  }
})

/** A table's values, in the order of its columns above. */
export type Row = readonly Value[]

/** A row by the names of its columns. */
export function fieldsOf(table: Table, row: Row): Readonly<Record<string, Value | undefined>> {
  return Object.fromEntries(table.columns.map(({ name }, i) => [name, row[i]]))
}

/** A row in the order of the columns. */
export function rowOf(table: Table, fields: Readonly<Record<string, Value>>): Row {
  return table.columns.map(({ name }) => fields[name] ?? null)
}

export function fits(kind: Kind, value: unknown): value is Value {
  if (value === null) return kind.endsWith('?')
  if (kind.startsWith('whole')) return Number.isSafeInteger(value)
  // A surrogate without its other half, or NUL: no engine stores them.
  return typeof value === 'string' && value.isWellFormed() && !value.includes('\0')
}
