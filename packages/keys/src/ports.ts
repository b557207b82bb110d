import type { KeyRingDocument } from './document.ts'

/**
 * Where key rings rest. Each call settles within seconds, whatever happens: one that hangs holds up the next. Implemented
 * by `./file`, `@countersign/storage` and adapters; held to `./testing`'s conformance suite.
 */
export interface KeyRingStore {
  /** The ring as last replaced; `undefined` if there is none by that name. */
  read(name: string): Promise<KeyRingDocument | undefined>
  /**
   * Compare and set: stores `document` only if the stored version is `document.version - 1` (0: there must be none).
   * Resolves once the document is durable.
   * @returns false if somebody else was first; nothing is changed then
   */
  replace(document: KeyRingDocument): Promise<boolean>
  /** Unix seconds by the store's own clock, where it has one; absent: the local clock counts. */
  now?(): Promise<number>
  /** Calls back (coalesced, maybe spuriously) after another process or instance changed something; the result stops it. */
  onChange?(call: () => void): () => void
}

/** Who did something: for the audit log. */
export interface AuditActor {
  readonly type: 'user' | 'client' | 'operator' | 'scheduler' | 'system'
  readonly id?: string
}

/** What must not happen unrecorded. Recorded before the effect is visible; if it cannot be written, the action fails. */
export interface KeyAuditEvent {
  readonly action: 'key.create' | 'key.publish' | 'key.activate' | 'key.retire' | 'key.revoke' | 'key.rewrap'
  readonly outcome: 'allowed' | 'denied'
  readonly actor: AuditActor
  readonly target: { readonly type: 'key'; readonly id: string }
  readonly reason?: string
  readonly details?: Readonly<Record<string, string | number | boolean | null>>
}

/** Proof instead of hope: which consumers do not hold a key yet. Asked before a standby is activated. */
export interface KeyConfirmations {
  /**
   * The names of the live consumers that have not yet acknowledged the key; empty: none is missing. A consumer that has
   * not been heard of lately is not live.
   */
  missing(kid: string): Promise<readonly string[]>
  /** true: also waited for on the active key's last day, past it if need be. @default false */
  readonly required?: boolean
}

export interface KeyAudit {
  /** Resolves when the event is written; a rejection makes the action fail. */
  record(event: KeyAuditEvent): Promise<void>
}
