import { bounded, wellFormed } from './bounded-text.ts'
import { ObservabilityError } from './observability-error.ts'
import { createScrub, isHarmlessName, isHarmlessWord } from './scrub.ts'

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
const longestLineBytes = 4096

const longestId = 200
const longestReason = 200
const longestDetail = 512
const mostDetails = 16

function invalid(what: string): ObservabilityError {
  return new ObservabilityError('audit_invalid_record', `audit event: ${what}`)
}

function text(value: unknown, where: string): string {
  if (typeof value === 'string' && value !== '') return value
  throw invalid(`${where} must be a text that is not empty`)
}

const scrub = createScrub()
/** A dot joins words: longer ones could have the shape of a token. */
const longestHarmlessAction = 32

/** Writes the parts of a record, and remembers whether one was cut and whether one may hold a secret. */
class Parts {
  truncated = false
  harmless = true

  action(value: unknown): string {
    if (typeof value !== 'string' || value.length > 64 || !/^[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)+$/.test(value)) {
      throw invalid('action must be lower case words with dots between them, at most 64 characters')
    }
    if (value.length > longestHarmlessAction) this.harmless = false
    return value
  }

  kind(value: unknown, where: string): string {
    if (typeof value !== 'string' || !/^[a-z][a-z_]{0,31}$/.test(value)) {
      throw invalid(`${where}.type must be a lower case word`)
    }
    if (!isHarmlessWord(value)) this.harmless = false
    return value
  }

  /** A text as JSON, cut. */
  json(value: string, length: number): string {
    if (value.length <= length && isHarmlessWord(value)) return `"${value}"`
    this.harmless = false
    if (value.length > length) this.truncated = true
    return JSON.stringify(wellFormed(bounded(value, length)))
  }

  details(given: NonNullable<AuditEvent['details']>): string {
    if (typeof given !== 'object') throw invalid('details must be an object')
    const names = Object.keys(given).sort()
    if (names.length > mostDetails) throw invalid(`details: at most ${mostDetails} members`)
    const members = names.map((name) => {
      if (!/^[a-z]\w{0,63}$/i.test(name)) throw invalid('details: a name must be a word of at most 64 characters')
      if (!isHarmlessName(name)) this.harmless = false
      const value = given[name]
      if (typeof value === 'string') return `"${name}":${this.json(value, longestDetail)}`
      const plain =
        value === null || typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))
      if (!plain) throw invalid(`details.${name} must be a text, a number, a boolean or null`)
      return `"${name}":${JSON.stringify(value)}`
    })
    return `{${members.join(',')}}`
  }
}

/**
 * The line of a record, newline included. It is canonical: members in the order of their names, no spaces, numbers and
 * escapes as in RFC 8785, except that characters which could forge a line in a terminal are escaped too. Parsing it and
 * writing it again by these rules gives the same bytes. (Written out here in the order of the names: four times as fast.)
 * Texts that are too long are cut and the record says `truncated: true`: an action does not fail because a name is long.
 *
 * @throws ObservabilityError `audit_invalid_record`
 */
export function auditLine(event: AuditEvent, position: Position): string {
  if (typeof event !== 'object' || event === null) throw invalid('must be an object')
  const { action, actor, details, outcome, reason, target } = event
  const parts = new Parts()
  const named = parts.action(action)
  if (outcome !== 'allowed' && outcome !== 'denied') throw invalid('outcome must be allowed or denied')
  if (typeof actor !== 'object' || actor === null) throw invalid('actor must be an object')
  if (typeof target !== 'object' || target === null) throw invalid('target must be an object')
  const actorId = actor.id === undefined ? '' : `"id":${parts.json(text(actor.id, 'actor.id'), longestId)},`
  const actorJson = `{${actorId}"type":"${parts.kind(actor.type, 'actor')}"}`
  const targetId = parts.json(text(target.id, 'target.id'), longestId)
  const targetJson = `{"id":${targetId},"type":"${parts.kind(target.type, 'target')}"}`
  const reasonJson = reason === undefined ? '' : `"reason":${parts.json(text(reason, 'reason'), longestReason)},`
  const detailsMember = details === undefined ? '' : `"details":${parts.details(details)},`
  const { writer, seq, ts } = position
  const write = (detailed: string, truncated: boolean): string => {
    const cut = truncated ? '"truncated":true,' : ''
    const record = `{"action":"${named}","actor":${actorJson},${detailed}"outcome":"${outcome}",${reasonJson}"seq":${seq},"target":${targetJson},${cut}"ts":${JSON.stringify(ts)},"v":1,"writer":"${writer}"}`
    // Also escapes the characters that canonical JSON escapes and JSON.stringify does not.
    return `${parts.harmless ? record : scrub(record)}\n`
  }
  const line = write(detailsMember, parts.truncated)
  // Without its details a record fits, whatever its other members are.
  return Buffer.byteLength(line) <= longestLineBytes ? line : write('', true)
}
