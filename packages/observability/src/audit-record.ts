import { bounded, wellFormed } from './bounded-text.ts'
import { type CanonicalValue, canonicalJson } from './canonical-json.ts'
import { ObservabilityError } from './observability-error.ts'
import type { Scrub } from './scrub.ts'

/** What happened, who did it, to what. Structurally the events of `KeyAudit` and `IssuerAudit`. */
export interface AuditEvent {
  /** Lower case words with dots, such as `token.issue`; at most 64 characters. */
  readonly action: string
  readonly outcome: 'allowed' | 'denied'
  readonly actor: { readonly type: string; readonly id?: string }
  readonly target: { readonly type: string; readonly id: string }
  readonly reason?: string
  /** At most 16 members; texts of at most 512 characters; no secrets. */
  readonly details?: Readonly<Record<string, string | number | boolean | null>>
}

/** Where a record stands: `seq` counts from 1 within a writer, and a writer is one opened log of one process. */
export interface Position {
  readonly writer: string
  readonly seq: number
  /** Unix seconds, to the millisecond. */
  readonly ts: number
}

/** No line is longer, newline included: one line is one small append, and a reader can bound its buffer. */
export const longestLineBytes = 4096

const longestId = 200
const longestReason = 200
const longestDetail = 512
const mostDetails = 16

function invalid(what: string): ObservabilityError {
  return new ObservabilityError('audit_invalid_record', `audit event: ${what}`)
}

function kind(value: unknown, where: string): string {
  if (typeof value === 'string' && /^[a-z][a-z_]{0,31}$/.test(value)) return value
  throw invalid(`${where}.type must be a lower case word`)
}

function text(value: unknown, where: string): string {
  if (typeof value === 'string' && value !== '') return wellFormed(value)
  throw invalid(`${where} must be a text that is not empty`)
}

function details(given: NonNullable<AuditEvent['details']>): Record<string, CanonicalValue> {
  const entries = Object.entries(given)
  if (entries.length > mostDetails) throw invalid(`details: at most ${mostDetails} members`)
  const kept: Record<string, CanonicalValue> = {}
  for (const [name, value] of entries) {
    if (!/^[a-z]\w{0,63}$/i.test(name)) throw invalid('details: a name must be a word of at most 64 characters')
    const plain = value === null || typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))
    if (!plain && typeof value !== 'string')
      throw invalid(`details.${name} must be a text, a number, a boolean or null`)
    kept[name] = typeof value === 'string' ? wellFormed(value) : value
  }
  return kept
}

/**
 * The line of a record, newline included. Texts that are too long are cut and the record says `truncated: true`: an
 * action does not fail because a name is long.
 *
 * @throws ObservabilityError `audit_invalid_record`
 */
export function auditLine(event: AuditEvent, position: Position, scrub: Scrub): string {
  if (typeof event !== 'object' || event === null) throw invalid('must be an object')
  if (!/^(?=.{1,64}$)[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)+$/.test(event.action)) {
    throw invalid('action must be lower case words with dots between them')
  }
  if (event.outcome !== 'allowed' && event.outcome !== 'denied') throw invalid('outcome must be allowed or denied')
  let truncated = false
  const cut = (value: string, length: number): string => {
    if (value.length > length) truncated = true
    return bounded(value, length)
  }
  const { actor, target } = event
  if (typeof actor !== 'object' || actor === null) throw invalid('actor must be an object')
  if (typeof target !== 'object' || target === null) throw invalid('target must be an object')
  const record: Record<string, CanonicalValue> = {
    ...position,
    v: 1,
    action: event.action,
    outcome: event.outcome,
    actor: {
      type: kind(actor.type, 'actor'),
      ...(actor.id === undefined ? {} : { id: cut(text(actor.id, 'actor.id'), longestId) }),
    },
    target: { type: kind(target.type, 'target'), id: cut(text(target.id, 'target.id'), longestId) },
    ...(event.reason === undefined ? {} : { reason: cut(text(event.reason, 'reason'), longestReason) }),
  }
  if (event.details !== undefined) {
    const kept = details(event.details)
    for (const [name, value] of Object.entries(kept)) {
      if (typeof value === 'string') kept[name] = cut(value, longestDetail)
    }
    record.details = kept
  }
  if (truncated) record.truncated = true
  const line = write(record, scrub)
  if (Buffer.byteLength(line) <= longestLineBytes) return line
  // Without its details a record fits, whatever its other members are.
  const { details: _dropped, ...rest } = record
  return write({ ...rest, truncated: true }, scrub)
}

function write(record: Record<string, CanonicalValue>, scrub: Scrub): string {
  return `${scrub(canonicalJson(record))}\n`
}
