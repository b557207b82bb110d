/** The actor claim (RFC 8693 section 4.1), nested at most 4 deep. */
export interface ActClaim {
  readonly sub: string
  readonly client_id?: string
  readonly act?: ActClaim
}

/** The payload of an access token of ours (RFC 9068 section 2.2). Never personal data. */
export interface AccessTokenClaims {
  readonly iss: string
  readonly sub: string
  /** Exactly one audience. */
  readonly aud: string
  /** Unix seconds, whole. */
  readonly exp: number
  readonly iat: number
  readonly nbf?: number
  readonly jti: string
  readonly client_id: string
  /** Space-separated (RFC 6749 section 3.3); may be empty. */
  readonly scope: string
  readonly sid?: string
  readonly org_id?: string
  readonly act?: ActClaim
  /** RFC 8693 section 4.4: who may act for the subject. */
  readonly may_act?: { readonly sub?: string; readonly client_id?: string }
  /** The `jti`s of at most 4 tokens that this one was exchanged from, nearest first. */
  readonly anc?: readonly string[]
  /**
   * What else an exchanged token rests on, beside `sub`, `client_id`, `act` and `anc`: at most 8 ids of clients, users,
   * sessions and tokens. To end one of them ends the token.
   */
  readonly via?: readonly string[]
  /** `[global, client, subject, …one per act, outermost first, …one per via]`: integers that only grow. */
  readonly gen?: readonly number[]
  readonly cnf?: { readonly jkt: string }
  /** A monitor's: refused for scopes with side effects. */
  readonly synthetic?: true
}
