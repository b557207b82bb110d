import type { Principal } from '@countersign/tokens'
import type { Decision } from './decision.ts'
import type { Availability } from './staleness.ts'

/** What a transport found in a request. */
export interface Credentials {
  /** Exactly as presented; `undefined` decides `no_token`. */
  readonly token: string | undefined
  /** A proof of possession (RFC 9449). A token with `cnf.jkt` and no proof is refused everywhere. */
  readonly proof?: string
  /** The credentials came in the wrong form or more than once: decides `invalid_request`, whatever the token. */
  readonly invalidRequest?: boolean
}

export interface AdmitRequest<Scope extends string = string> extends Credentials {
  /** All of them are needed. */
  readonly scopes?: readonly Scope[]
  /** When revocation news are late. @default refuse sensitive scopes past 30 s, everything past 60 s */
  readonly availability?: Availability
  /** How the adapter names itself in events. @default 'other' */
  readonly surface?: string
}

/** How a connection that outlives its request goes on when revocation news are late. */
export interface StalenessChoice {
  /** Only `token-life` makes a difference here: nobody can be asked about a token that is gone. */
  readonly availability?: Availability
}

export interface PrincipalEnd {
  /** `stale`: nobody knows any more whether it is revoked, for longer than the route allows. */
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
  /** Whether routes may say `introspect`. */
  readonly canIntrospect: boolean
  /** Decides; never throws for a bad token. A rejection means a fault of ours: answer 500, not 401. */
  admit(request: AdmitRequest<Scope>): Promise<Decision>
  /**
   * The same decision without any wait, for adapters that can do without one: where the token was accepted before, and
   * where there is none. `undefined` says that `admit` has to be asked. Throws what `admit` rejects with.
   *
   * Whoever wraps a guard wraps this too, or leaves it out: then `admit` alone is asked.
   */
  admitNow?(request: AdmitRequest<Scope>): Decision | undefined
  /**
   * Later, for each message: does this principal hold all of these scopes, and has it not ended?
   * It ends at `exp` to the second: the clock tolerance forgives at admission only. Late revocation news count as at
   * admission.
   */
  permits(principal: Principal, scopes: readonly Scope[], options?: StalenessChoice): boolean
  /**
   * Calls back once when the principal ends, asynchronously at the earliest (at once, if it has ended already).
   * Expiry is told at `exp`, or within 30 s of waking where the machine slept. The result stops watching.
   */
  watch(principal: Principal, onEnd: (end: PrincipalEnd) => void, options?: StalenessChoice): () => void
  /**
   * Resolves when the guard can decide: with an issuer, once its keys and the first news of its revocation feed are in
   * memory, which it then asks for until it has them; else with the first news of `revocations`. Never, if it is closed
   * before. Who does not call it has the first token wait instead.
   */
  whenReady(): Promise<void>
  /** Stops everything that the guard started; nothing is called back any more, and `admit` throws. */
  close(): Promise<void>
}
