/** One row for each access token: what the blast radius of a key needs. */
export interface IssuedRecord {
  readonly jti: string
  /** Also made for client credentials. */
  readonly sessionId: string
  readonly kid: string
  readonly audience: string
  readonly clientId: string
  readonly subject: string
  readonly issuedAt: number
  readonly expiresAt: number
}

/** What introspection needs to know of a token beyond its signature. */
export interface TokenStatus {
  readonly issued: IssuedRecord
  readonly revokedAt: number | null
  readonly sessionEndedAt: number | null
}

/** Tokens of one key and audience that have not expired. */
export interface LiveTokens {
  readonly kid: string
  readonly audience: string
  readonly tokens: number
  /** When the last of them expires. */
  readonly until: number
}

/** Who a token rests on, and the generation that it carries of them. */
export interface Party {
  readonly id: string
  readonly generation: number
}

/** A token made out of another (RFC 8693), and everything that must hold at that moment. */
export interface ExchangeEntry {
  readonly issued: IssuedRecord
  /** The `jti`s of the presented token, first, and of its ancestors; at most 5. None for another issuer's token. */
  readonly tokens: readonly string[]
  /** Whose the presented token is, as its row must say. */
  readonly presented: { readonly subject: string; readonly clientId: string } | null
  /** The global generation that it carries. */
  readonly global: number
  readonly clients: readonly Party[]
  readonly users: readonly Party[]
  /** Whom another issuer named in the token: nobody of them has a row, so only the revocation log knows of their end. */
  readonly foreign?: readonly Party[]
}

export type ExchangeOutcome =
  | 'stored'
  /** The presented token or an ancestor has no row, or the row says something else. */
  | 'unknown_token'
  /** It, or an ancestor, was revoked. */
  | 'token_revoked'
  | 'session_ended'
  /** Somebody that it rests on is missing, disabled or of a later generation. */
  | 'party_ended'

export interface IssuedStore {
  /** Resolves once durable; rejects if there is a row by that `jti`. */
  add(issued: IssuedRecord): Promise<void>
  /**
   * Stores the row if everything holds that it rests on, in one transaction; else nothing. Resolves once durable; rejects
   * if there is a row by that `jti`.
   */
  exchange(entry: ExchangeEntry): Promise<ExchangeOutcome>
  status(jti: string): Promise<TokenStatus | undefined>
  /** Whether the revocation log has an end of somebody, or of a session, whom another issuer named. */
  foreignEnd(foreign: readonly Party[]): Promise<Extract<ExchangeOutcome, 'session_ended' | 'party_ended'> | undefined>
  /**
   * Revokes and appends to the revocation log, in one transaction.
   * @returns false if there is no such token or it is revoked already; the first instant stays
   */
  revoke(jti: string, now: number, until: number): Promise<boolean>
  /** When the last of all stored tokens expires; undefined: there are none. */
  latestExpiry(): Promise<number | undefined>
  /** What the compromise of these keys reaches: by key and audience, in that order. */
  liveByKey(kids: readonly string[], now: number): Promise<readonly LiveTokens[]>
}
