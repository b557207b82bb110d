import type { AuditActor, ClientKey, GrantType } from './ports.ts'

export interface Requested {
  /** For the audit log. @default { type: 'operator' } */
  readonly actor?: AuditActor
}

export interface Page {
  /** From the last entry of the page before. */
  readonly after?: string
  /** 1 to 1,000. @default 100 */
  readonly limit?: number
}

/** A user without the password's hash. */
export interface UserInfo {
  readonly id: string
  readonly identifier: string
  readonly synthetic: boolean
  readonly scopes: readonly string[] | null
  readonly createdAt: number
  readonly disabledAt: number | null
}

/** A client without its secrets' hashes. */
export interface ClientInfo {
  readonly id: string
  readonly name: string
  readonly type: 'confidential' | 'public'
  readonly firstParty: boolean
  readonly grants: readonly GrantType[]
  readonly audiences: readonly string[]
  readonly scopes: readonly string[] | null
  readonly origins: readonly string[]
  readonly refreshDelivery: 'cookie' | 'body'
  readonly secrets: readonly { readonly id: string; readonly createdAt: number; readonly expiresAt: number | null }[]
  readonly keys: readonly ClientKey[]
  readonly synthetic: boolean
  readonly createdAt: number
  readonly disabledAt: number | null
}

export interface NewClient extends Requested {
  /** 1 to 64 of letters, digits and `. _ -`, beginning with a letter or digit; never `client_…` or `user_…`. Usable as client id. */
  readonly name: string
  /** @default 'confidential' */
  readonly type?: 'confidential' | 'public'
  /** `sign_in` makes it a first-party client. */
  readonly grants: readonly GrantType[]
  /** Of the consumer matrix. */
  readonly audiences: readonly string[]
  /** @default null: every scope that its audiences have */
  readonly scopes?: readonly string[] | null
  /** Exact browser origins. @default [] */
  readonly origins?: readonly string[]
  /** Ed25519, as a JWK: it signs its assertions with it (`private_key_jwt`), and gets no secret. */
  readonly publicKey?: Readonly<Record<string, unknown>>
  /** Unix seconds from which its secret is refused; no token of the client lives longer then. Until the year 9999. @default null: never */
  readonly secretExpiresAt?: number | null
  /** A monitor: tokens that it obtains or exchanges say `synthetic`. @default false */
  readonly synthetic?: boolean
  /** `cookie` needs a public client with origins. @default 'cookie' for a public client with origins, else 'body' */
  readonly refreshDelivery?: 'cookie' | 'body'
}

export interface Users {
  /** @throws IssuerError `invalid_name`, `weak_password`, `name_taken`, `invalid_option` for scopes that no consumer has */
  add(
    user: {
      readonly identifier: string
      readonly password: string
      /** No person: its tokens say `synthetic`. @default false */
      readonly synthetic?: boolean
      /** The most that a sign-in gets. @default null: all that its client may have */
      readonly scopes?: readonly string[] | null
    } & Requested,
  ): Promise<UserInfo>
  /** In order of identifier. */
  list(page?: Page): Promise<readonly UserInfo[]>
  /** Ends every session and outdates every token of the user. @throws IssuerError `unknown_user`, `already_disabled` */
  disable(identifier: string, requested?: Requested): Promise<void>
  /** Ends every session and outdates every token of the user. @throws IssuerError `unknown_user`, `weak_password` */
  setPassword(identifier: string, password: string, requested?: Requested): Promise<void>
  /**
   * Sets the most that a sign-in gets (null: all that its client may have), ends every session and outdates every token.
   * @throws IssuerError `unknown_user`, `invalid_option` for scopes that no consumer has
   */
  setScopes(identifier: string, scopes: readonly string[] | null, requested?: Requested): Promise<void>
}

export interface Clients {
  /**
   * The secret is shown here and never again; null for a public client and for one with a key.
   * @throws IssuerError `invalid_name`, `invalid_option`, `name_taken`
   */
  add(client: NewClient): Promise<{ readonly client: ClientInfo; readonly secret: string | null }>
  /** In order of name. */
  list(page?: Page): Promise<readonly ClientInfo[]>
  /** Ends every session through it and outdates every token of it. @throws IssuerError `unknown_client`, `already_disabled` */
  disable(name: string, requested?: Requested): Promise<void>
  /**
   * Makes a new secret; the previous one stays valid for the overlap, older ones end at once.
   * @throws IssuerError `unknown_client`, `invalid_option` for a public client, `already_disabled`
   */
  rotateSecret(
    name: string,
    requested?: Requested & { readonly overlapSeconds?: number },
  ): Promise<{ readonly client: ClientInfo; readonly secret: string; readonly previousExpiresAt: number | null }>
  /**
   * Takes another public key (Ed25519, a JWK); the previous one, and a secret, stay valid for the overlap.
   * @throws IssuerError `unknown_client`, `invalid_option`, `already_disabled`
   */
  rotateKey(
    name: string,
    publicKey: Readonly<Record<string, unknown>>,
    requested?: Requested & { readonly overlapSeconds?: number },
  ): Promise<{ readonly client: ClientInfo; readonly previousExpiresAt: number | null }>
}
