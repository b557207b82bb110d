import type { RevocationEntry, RevocationEvent } from '@countersign/revocation'
import type {
  ClientRecord,
  Generations,
  IssuedRecord,
  RefreshRecord,
  SessionEndReason,
  SessionRecord,
  ThrottleRecord,
  UserRecord,
} from '../ports.ts'

export interface IssuedRow {
  readonly issued: IssuedRecord
  readonly revokedAt: number | null
}

export interface SessionRow {
  readonly session: SessionRecord
  /** The latest expiry of a token issued under it. */
  readonly issuedUntil: number
}

export interface ThrottleRow extends ThrottleRecord {
  /** From then on it counts as if it had never been. */
  readonly forgetAt: number
}

export interface RefreshRow extends RefreshRecord {
  readonly predecessor: string | null
  readonly replay: { readonly sealed: string; readonly until: number } | null
}

/** The revocation log. */
export interface MemoryLog {
  epoch: number
  seq: number
  readonly entries: Map<string, RevocationEntry>
  events: (RevocationEvent & { readonly at: number })[]
  readonly watchers: Set<() => void>
}

/** Everything, in maps. Each operation changes it within one turn, which is this store's transaction. */
export interface MemoryState {
  readonly users: Map<string, UserRecord>
  readonly clients: Map<string, ClientRecord>
  readonly sessions: Map<string, SessionRow>
  readonly refresh: Map<string, RefreshRow>
  readonly issued: Map<string, IssuedRow>
  readonly throttle: Map<string, ThrottleRow>
  /** Until when each used assertion is remembered. */
  readonly assertions: Map<string, number>
  readonly globalGeneration: number
  readonly log: MemoryLog
}

/** A copy of `value`, so that nobody shares what is stored. Refuses text that a database would change or refuse. */
export function copy<T>(value: T): T {
  refuseText(value)
  return structuredClone(value)
}

/** A surrogate without its other half, or NUL. */
const impossible = /[\p{Surrogate}\0]/u

export function refuseText(value: unknown): void {
  if (typeof value === 'string' && impossible.test(value)) {
    throw new TypeError('Text must be well-formed Unicode without NUL.')
  }
  if (typeof value === 'object' && value !== null) for (const member of Object.values(value)) refuseText(member)
}

/** The order of code points, which is also that of UTF-8 bytes; `<` compares UTF-16 units and differs past U+FFFF. */
export function compareText(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

export function page<T>(rows: Iterable<T>, keyOf: (row: T) => string, after: string | undefined, limit: number): T[] {
  return [...rows]
    .filter((row) => after === undefined || compareText(keyOf(row), after) > 0)
    .sort((a, b) => compareText(keyOf(a), keyOf(b)))
    .slice(0, Math.max(0, limit))
    .map((row) => structuredClone(row))
}

/** @returns false if there is none by that id, or it has ended */
export function endSession(state: MemoryState, id: string, reason: SessionEndReason, now: number): boolean {
  const row = state.sessions.get(id)
  if (row === undefined || row.session.endedAt !== null) return false
  state.sessions.set(id, { ...row, session: { ...row.session, endedAt: now, endReason: reason } })
  return true
}

/** Whether a session under these generations may live: its user and client are there, enabled and not past them. */
export function generationsHold(state: MemoryState, session: SessionRecord): boolean {
  const user = state.users.get(session.userId)
  const client = state.clients.get(session.clientId)
  if (user === undefined || client === undefined || user.disabledAt !== null || client.disabledAt !== null) return false
  const [global, ofClient, ofUser]: Generations = session.generations
  return global >= state.globalGeneration && ofClient >= client.generation && ofUser >= user.generation
}
