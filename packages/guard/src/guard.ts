import type { Principal } from '@countersign/tokens'
import type { Decision } from './decision.ts'

export interface AdmitRequest<Scope extends string = string> {
  /** Exactly as presented; `undefined` decides `no_token`. */
  readonly token: string | undefined
  /** A proof of possession (RFC 9449). A token with `cnf.jkt` and no proof is refused everywhere. */
  readonly proof?: string
  /** All of them are needed. */
  readonly scopes?: readonly Scope[]
}

export interface PrincipalEnd {
  readonly reason: 'expired' | 'revoked' | 'stale'
}

/** Transport-free: admits a token and watches a principal. Express, WebSocket and MCP adapters sit on this. */
export interface Guard<Scope extends string = string> {
  readonly audience: string | undefined
  /** RFC 9728 `authorization_servers`. */
  readonly issuer: string | undefined
  /** RFC 9728 `resource`: where the consumer answers; absent if not configured. */
  readonly resource: string | undefined
  /** What the consumer knows of scopes, for RFC 9728 `scopes_supported`. */
  readonly scopes: readonly Scope[] | undefined
  /** Decides; never throws for a bad token. A rejection means a fault of ours: answer 500, not 401. */
  admit(request: AdmitRequest<Scope>): Promise<Decision>
  /** Later, for each message: does this principal hold all of these scopes, and has it not ended? */
  permits(principal: Principal, scopes: readonly Scope[]): boolean
  /** Calls back once when the principal ends, asynchronously at the earliest. The result stops watching. */
  watch(principal: Principal, onEnd: (end: PrincipalEnd) => void): () => void
  /** Stops everything that the guard started. */
  close(): Promise<void>
}
