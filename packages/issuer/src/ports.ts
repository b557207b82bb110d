import type { AcknowledgementStore, RevocationEntry, RevocationLog } from '@countersign/revocation'
import type { IssuedRecord, IssuedStore } from './issued-ports.ts'

export type {
  ExchangeEntry,
  ExchangeOutcome,
  IssuedRecord,
  IssuedStore,
  LiveTokens,
  Party,
  TokenStatus,
} from './issued-ports.ts'

/**
 * Instants are Unix seconds, whole. Ids are opaque strings made by the issuer. Every string is well-formed Unicode
 * without NUL: a store refuses others instead of storing something else. Orders are those of code points.
 */

export type GrantType = 'sign_in' | 'client_credentials' | 'refresh_token' | 'token_exchange'

export interface UserRecord {
  readonly id: string
  /** What the person types, normalised (NFKC, trimmed, lower case); unique. */
  readonly identifier: string
  /** argon2id, PHC string. */
  readonly passwordHash: string
  /** Only grows; tokens carry the value they were issued under. */
  readonly generation: number
  /** No person: a monitor's account, whose tokens say `synthetic`. */
  readonly synthetic: boolean
  /** The most that a sign-in gets, of whatever audience; null: all that its client may have. */
  readonly scopes: readonly string[] | null
  readonly createdAt: number
  readonly disabledAt: number | null
}

export interface ClientSecret {
  readonly id: string
  /** SHA-256 of the secret, base64url. The secret has 256 random bits, so no password hash is needed. */
  readonly hash: string
  readonly createdAt: number
  /** After this the secret is refused; null: until rotated. */
  readonly expiresAt: number | null
}

/** A public key that a client signs its assertions with (RFC 7523). */
export interface ClientKey {
  /** What the client calls it in `kid`; the RFC 7638 thumbprint unless its JWK said otherwise. */
  readonly kid: string
  /** `x` of the Ed25519 JWK (RFC 8037). */
  readonly x: string
  readonly createdAt: number
  /** After this its signatures are refused; null: until replaced. */
  readonly expiresAt: number | null
}

export interface ClientRecord {
  readonly id: string
  /** Unique. */
  readonly name: string
  /** Public clients have no secret. */
  readonly type: 'confidential' | 'public'
  /** May use first-party sign-in. */
  readonly firstParty: boolean
  readonly grants: readonly GrantType[]
  readonly audiences: readonly string[]
  /** Scopes it may ask for, of any of its audiences; null: all that its audiences have. */
  readonly scopes: readonly string[] | null
  /** Exact browser origins (scheme, host, port). */
  readonly origins: readonly string[]
  /** How the refresh token travels: a property of the client, never of a request. */
  readonly refreshDelivery: 'cookie' | 'body'
  readonly secrets: readonly ClientSecret[]
  readonly keys: readonly ClientKey[]
  readonly generation: number
  /** A monitor: tokens that it obtains or exchanges say `synthetic`. */
  readonly synthetic: boolean
  readonly createdAt: number
  readonly disabledAt: number | null
}

/** Under which generations something was issued: `[global, client, user]`, each of which only grows. */
export type Generations = readonly [global: number, client: number, user: number]

/** One sign-in and all that came of it. */
export interface SessionRecord {
  readonly id: string
  readonly userId: string
  readonly clientId: string
  readonly audience: string
  /** Space-separated; may only shrink. */
  readonly scope: string
  /** As they were when the sign-in was checked; a session under older ones neither opens nor refreshes. */
  readonly generations: Generations
  readonly createdAt: number
  /** Absolute limit. */
  readonly expiresAt: number
  readonly endedAt: number | null
  readonly endReason: SessionEndReason | null
}

export type SessionEndReason =
  | 'signed_out'
  | 'revoked'
  | 'refresh_reused'
  | 'user_disabled'
  | 'client_disabled'
  | 'password_changed'
  | 'permissions_changed'

/** A refresh token; all tokens of a session form its family. */
export interface RefreshRecord {
  /** SHA-256 of the token, base64url. */
  readonly hash: string
  readonly sessionId: string
  readonly createdAt: number
  /** Idle limit. */
  readonly expiresAt: number
  readonly spentAt: number | null
}

export interface UserStore {
  /** @returns false if the id or the identifier is taken */
  add(user: UserRecord): Promise<boolean>
  byId(id: string): Promise<UserRecord | undefined>
  byIdentifier(identifier: string): Promise<UserRecord | undefined>
  /** In order of identifier, after the given one. */
  list(page: { readonly after?: string; readonly limit: number }): Promise<readonly UserRecord[]>
  /**
   * Sets the hash, raises the generation, ends every session of the user and appends the new generation to the revocation
   * log, remembered until `until`, all in one transaction. @returns false if there is no such user
   */
  setPassword(id: string, passwordHash: string, now: number, until: number): Promise<boolean>
  /** The same with the scopes. @returns false if there is no such user */
  setScopes(id: string, scopes: readonly string[] | null, now: number, until: number): Promise<boolean>
  /** Replaces the hash of the same password (stronger parameters): nothing ends. Only if the stored hash is still `from`. */
  rehashPassword(id: string, from: string, to: string): Promise<boolean>
  /**
   * Disables, raises the generation, ends every session and appends to the revocation log, all in one transaction.
   * @returns false if there is no such user, or it is disabled already
   */
  disable(id: string, now: number, until: number): Promise<boolean>
}

export interface ClientStore {
  /** @returns false if the id or the name is taken */
  add(client: ClientRecord): Promise<boolean>
  byId(id: string): Promise<ClientRecord | undefined>
  byName(name: string): Promise<ClientRecord | undefined>
  /** In order of name, after the given one. */
  list(page: { readonly after?: string; readonly limit: number }): Promise<readonly ClientRecord[]>
  /** @returns false if there is no such client */
  setSecrets(id: string, secrets: readonly ClientSecret[]): Promise<boolean>
  /** @returns false if there is no such client */
  setKeys(id: string, keys: readonly ClientKey[]): Promise<boolean>
  /** Disables, raises the generation, ends every session through it and appends to the revocation log. @returns false as for users */
  disable(id: string, now: number, until: number): Promise<boolean>
}

export type RefreshOutcome =
  /** The presented token is spent, the successor and the issued row are stored. */
  | 'rotated'
  /** Spent before: reuse. Nothing stored; the caller ends the session. */
  | 'spent'
  /**
   * Unknown, expired, or its session has ended, is past its absolute limit or was opened under older generations.
   * Nothing stored. A session that is over answers this for spent tokens too; else `spent` comes before expired.
   */
  | 'invalid'
  /**
   * The immediately previous token again, in time, and its successor is unused: what was kept for repeats. The issued row
   * is stored; the successor that was given is not.
   */
  | { readonly replayed: string }

/** A refresh token and what decides about it, as they stand at one moment. */
export interface RefreshLook {
  readonly refresh: RefreshRecord
  readonly session: SessionRecord
  /** Until when a repeat of this spent token gets its successor again; null: no more, or not spent. */
  readonly replayUntil: number | null
  /** Whose session it is. */
  readonly user: Pick<UserRecord, 'id' | 'generation' | 'synthetic' | 'disabledAt'>
  readonly globalGeneration: number
}

export interface SessionStore {
  /**
   * Stores all of it or nothing, in one transaction that decides by what is stored at that moment: a user or client
   * disabled, or a password changed, while the sign-in was being checked must not leave a session behind.
   * @returns false if the user or the client is missing or disabled, or a generation is above `session.generations`
   */
  open(entry: {
    readonly session: SessionRecord
    readonly refresh: RefreshRecord | null
    readonly issued: IssuedRecord
  }): Promise<boolean>
  byId(id: string): Promise<SessionRecord | undefined>
  /** By the refresh token's hash, spent or not. */
  byRefresh(hash: string): Promise<RefreshLook | undefined>
  /** Newest first, whether ended or not. */
  ofUser(userId: string, page: { readonly limit: number }): Promise<readonly SessionRecord[]>
  /**
   * Spends the presented token and stores its successor and the issued row, all in one transaction that decides by
   * what is stored at that moment: of any number of concurrent calls for one token exactly one answers `rotated`.
   * With `replay`, `sealed` rests beside the spent token and answers repeats of it before `until`; it is deleted when the
   * successor itself is spent. It gives the successor to nobody who has not the presented token itself.
   */
  rotate(entry: {
    readonly presentedHash: string
    readonly successor: RefreshRecord
    readonly issued: IssuedRecord
    readonly now: number
    readonly replay?: { readonly sealed: string; readonly until: number }
  }): Promise<RefreshOutcome>
  /** Deletes what was kept for repeats whose time is over. @returns how many */
  forgetReplays(now: number): Promise<number>
  /**
   * Ends it and appends it to the revocation log, in one transaction.
   * @returns false if there is no such session or it has ended already; the first reason stays
   */
  end(id: string, reason: SessionEndReason, now: number, until: number): Promise<boolean>
}

/** Failures by key (an account, an address), shared by every process of the service. */
export interface ThrottleRecord {
  readonly failures: number
  /** When the current window began. */
  readonly windowStartedAt: number
  /** No attempt is looked at before this; 0: free. */
  readonly blockedUntil: number
}

export interface ThrottleStore {
  read(keys: readonly string[]): Promise<ReadonlyMap<string, ThrottleRecord>>
  /**
   * Counts one failure for each key (once, if it is given twice), in one transaction. Within `windowSeconds` of the
   * first one `allowed` are free; the next blocks for `baseSeconds`, each further one for double the time before, at most
   * `maxSeconds`. A window within its allowance starts anew when `windowSeconds` are over; one past it when `maxSeconds`
   * went by after its last block without a failure, so that who waits for each block to end keeps the longest one.
   */
  fail(keys: readonly string[], rule: ThrottleRule, now: number): Promise<void>
  clear(key: string): Promise<void>
}

/** Client assertions (RFC 7523) that were used, shared by every process: each is good for one request. */
export interface AssertionStore {
  /**
   * @param id at most 64 characters, for the client and the assertion's `jti` together
   * @param until when it may be forgotten: nobody accepts the assertion from then on
   * @returns false if it was used before; of any number of concurrent calls exactly one gets true
   */
  use(id: string, until: number): Promise<boolean>
  /** Forgets those whose time is over, at most `limit` a call. @returns how many */
  forget(now: number, limit: number): Promise<number>
}

export interface ThrottleRule {
  readonly allowed: number
  readonly windowSeconds: number
  readonly baseSeconds: number
  readonly maxSeconds: number
}

export interface IssuerStores {
  readonly users: UserStore
  readonly clients: ClientStore
  readonly sessions: SessionStore
  readonly issued: IssuedStore
  readonly throttle: ThrottleStore
  readonly assertions: AssertionStore
  /** Everything above that revokes appends to it by itself, in its own transaction. */
  readonly revocations: RevocationLog
  readonly acknowledgements: AcknowledgementStore
  /**
   * What has ended by what is stored and should be in the revocation log, but is not, nor covered by a generation there:
   * ended sessions, revoked tokens, disabled users and clients. Nothing, unless an older program or a hand wrote to the store.
   */
  unrevoked(wanted: {
    readonly now: number
    /** For the entries; what ended as long ago as this lies ahead is left out. */
    readonly until: number
    /** How long after its expiry a token may be accepted somewhere. */
    readonly skewSeconds: number
    readonly limit: number
  }): Promise<readonly RevocationEntry[]>
  /** The generation that reaches every token of this issuer; starts at 0. */
  globalGeneration(): Promise<number>
  /**
   * Removes what ended before `before`: issued rows, refresh tokens, sessions, throttle rows; at most `limit` rows a call.
   * A session stays as long as a token issued under it could live, so that its end is not forgotten before.
   * @returns how many
   */
  prune(before: number, limit: number): Promise<number>
  /** Rejects when the store cannot be read or written now. */
  check(): Promise<void>
}

export interface AuditActor {
  readonly type: 'user' | 'client' | 'operator' | 'scheduler' | 'system'
  readonly id?: string
}

/** What must not happen unrecorded. Awaited; if it cannot be written, the action fails. */
export interface IssuerAuditEvent {
  readonly action:
    | 'token.issue'
    | 'token.exchange'
    | 'token.revoke'
    | 'session.open'
    | 'session.refresh'
    | 'session.end'
    | 'refresh.reuse'
    | 'user.add'
    | 'user.disable'
    | 'user.set_password'
    | 'user.set_scopes'
    | 'client.add'
    | 'client.disable'
    | 'client.rotate_secret'
    | 'client.rotate_key'
    | 'foreign.end'
    | 'revocation.repair'
  readonly outcome: 'allowed' | 'denied'
  readonly actor: AuditActor
  readonly target: {
    readonly type: 'token' | 'session' | 'user' | 'client' | 'organization' | 'feed'
    readonly id: string
  }
  readonly reason?: string
  readonly details?: Readonly<Record<string, string | number | boolean | null>>
}

export interface IssuerAudit {
  record(event: IssuerAuditEvent): Promise<void>
}
