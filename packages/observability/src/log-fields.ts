import { bounded } from './bounded-text.ts'
import { describeError } from './describe-error.ts'
import type { Scrub } from './scrub.ts'
import { Secret } from './secret.ts'

/**
 * How a field is written. `text`: a string, at most 256 characters. `number`, `boolean`: themselves. `url`: origin and
 * path; the query, the fragment and user information are left out. `list`: at most 32 strings. `error`: class, code,
 * message, causes. A value of another type is dropped.
 */
export type FieldKind = 'text' | 'number' | 'boolean' | 'url' | 'list' | 'error'

/** Every field that a log line may have. Anything else is dropped, whatever its name: nobody has to foresee a secret's name. */
export const logFields = {
  event: 'text',
  error: 'error',
  code: 'text',
  reason: 'text',
  remedy: 'text',
  outcome: 'text',
  result: 'text',
  action: 'text',
  service: 'text',
  component: 'text',
  version: 'text',
  instance: 'text',
  issuer: 'text',
  audience: 'text',
  grant: 'text',
  scopes: 'list',
  missing_scopes: 'list',
  surface: 'text',
  alg: 'text',
  kid: 'text',
  previous_kid: 'text',
  ring: 'text',
  state: 'text',
  waiting_for: 'list',
  subject: 'text',
  actor: 'text',
  actor_type: 'text',
  client: 'text',
  client_name: 'text',
  session: 'text',
  token_id: 'text',
  target: 'text',
  target_type: 'text',
  organization: 'text',
  address: 'text',
  limit: 'text',
  method: 'text',
  route: 'text',
  status: 'number',
  url: 'url',
  host: 'text',
  port: 'number',
  path: 'text',
  request_id: 'text',
  trace_id: 'text',
  span_id: 'text',
  count: 'number',
  bytes: 'number',
  attempt: 'number',
  seconds: 'number',
  duration_ms: 'number',
  at: 'number',
  retry_after_seconds: 'number',
  signal: 'text',
  pid: 'number',
  sink: 'text',
} as const

type ValueOf<Kind extends FieldKind> = Kind extends 'text'
  ? string | Secret<unknown>
  : Kind extends 'number'
    ? number
    : Kind extends 'boolean'
      ? boolean
      : Kind extends 'url'
        ? string | URL
        : Kind extends 'list'
          ? Iterable<string>
          : unknown

/** The fields of a line. Others compile only where they were added to the logger (`fields`), and are dropped otherwise. */
export type LogFields<Extra extends Readonly<Record<string, FieldKind>> = Record<never, FieldKind>> = {
  readonly [Name in keyof typeof logFields]?: ValueOf<(typeof logFields)[Name]> | undefined
} & { readonly [Name in keyof Extra]?: ValueOf<Extra[Name]> | undefined }

const longestText = 256
const mostItems = 32

function writeUrl(value: string | URL): string | undefined {
  const text = String(value)
  // Relative request targets are common in logs; the base is never shown.
  const url = URL.parse(text, 'http://relative.invalid')
  if (url === null) return undefined
  const place = url.host === 'relative.invalid' ? url.pathname : `${url.protocol}//${url.host}${url.pathname}`
  return bounded(place, longestText)
}

function writeList(value: unknown): string[] | undefined {
  if (typeof value !== 'object' || value === null || !(Symbol.iterator in value)) return undefined
  const items: string[] = []
  for (const item of value as Iterable<unknown>) {
    if (items.length === mostItems) break
    if (typeof item === 'string') items.push(bounded(item, 128))
  }
  return items
}

function writeField(kind: FieldKind, value: unknown, scrub: Scrub, withStack: boolean): unknown {
  switch (kind) {
    case 'text':
      if (typeof value === 'string') return bounded(value, longestText)
      return value instanceof Secret ? String(value) : undefined
    case 'number':
      return typeof value === 'number' && Number.isFinite(value) ? value : undefined
    case 'boolean':
      return typeof value === 'boolean' ? value : undefined
    case 'url':
      return typeof value === 'string' || value instanceof URL ? writeUrl(value) : undefined
    case 'list':
      return writeList(value)
    case 'error':
      return describeError(value, scrub, withStack)
  }
}

/** Picks what is on the list out of `fields`; what is dropped is counted, so that a missing entry is noticed. */
export function pickFields(
  fields: object,
  kinds: ReadonlyMap<string, FieldKind>,
  scrub: Scrub,
  withStack: boolean,
): Record<string, unknown> {
  const picked: Record<string, unknown> = {}
  let dropped = 0
  for (const name of Object.keys(fields)) {
    const kind = kinds.get(name)
    let written: unknown
    try {
      const given: unknown = Reflect.get(fields, name)
      if (given === undefined) continue
      written = kind === undefined ? undefined : writeField(kind, given, scrub, withStack)
    } catch {
      // A getter or an iterator that throws: a log line is no place to fail.
    }
    if (written === undefined) dropped += 1
    else picked[name] = written
  }
  if (dropped > 0) picked.dropped_fields = dropped
  return picked
}
