import type { Clock } from '@countersign/tokens'

/** Who asks. Without a secret or a key it is a public client, which only names itself. */
export interface ClientOptions {
  readonly id: string
  readonly secret?: string
  /** How the secret is sent. @default 'client_secret_basic', or `client_secret_post` where the metadata has only that */
  readonly method?: 'client_secret_basic' | 'client_secret_post'
  /**
   * `private_key_jwt` (RFC 7523): an Ed25519, P-256 or RSA key as a JWK, whose `kid` is sent along, or as a `CryptoKey`.
   */
  readonly privateKey?: PrivateJwk | CryptoKey
}

/** A private JWK (RFC 7517); RSA keys need their `alg`, RS256 or PS256. */
export interface PrivateJwk {
  readonly kty: string
  readonly crv?: string
  readonly alg?: string
  readonly kid?: string
  readonly [member: string]: unknown
}

/** Where, as whom, and within which limits. */
export interface ServerOptions {
  /** The authorization server's issuer identifier; its metadata (RFC 8414) names the token endpoint. https, or loopback. */
  readonly issuer: string
  /** For servers without metadata. */
  readonly tokenEndpoint?: string
  readonly client: ClientOptions
  /** For one request. 100 to 60,000. @default 5_000 */
  readonly timeoutMs?: number
  /** Of one answer. 1 KiB to 1 MiB. @default 65_536 */
  readonly maxBytes?: number
  readonly fetch?: typeof fetch
  readonly clock?: Clock
}

/** What is asked for. */
export interface Target {
  /** The consumer's name (`audience`). */
  readonly audience?: string
  /** The consumer's URL (RFC 8707). */
  readonly resource?: string
  /** Space-separated. */
  readonly scope?: string
  /** Further parameters of the request, for servers that want some. */
  readonly parameters?: Readonly<Record<string, string>>
}

/** RFC 6749 section 4.4: the client's own token. */
export interface ClientCredentials extends Target {
  readonly type: 'client_credentials'
}

/** RFC 8693: a token in another's name. */
export interface TokenExchange extends Target {
  readonly type: 'token_exchange'
  /** The token of whom it is about; asked anew for each exchange. */
  readonly subjectToken: string | (() => string | Promise<string>)
  /** @default 'urn:ietf:params:oauth:token-type:access_token' */
  readonly subjectTokenType?: string
}

/** RFC 6749 section 6: goes on with a person's session. */
export interface RefreshToken extends Target {
  readonly type: 'refresh_token'
  readonly store: TokenStore
}

export type Grant = ClientCredentials | TokenExchange | RefreshToken

/** What a session is made of, between two runs of a program. */
export interface StoredTokens {
  readonly refreshToken: string
  /** Used by other processes until it expires, so that not each of them has to refresh. */
  readonly accessToken?: string
  /** Unix seconds. */
  readonly expiresAt?: number
}

/** Keeps a session's tokens; the caller's, since only it knows a safe place. */
export interface TokenStore {
  load(): Promise<StoredTokens | undefined>
  /** Has to be durable when it returns: the server has forgotten the refresh token before this one. */
  save(tokens: StoredTokens): Promise<void>
  /**
   * Runs `work` while no other process does, where several share the store. Without it a lost race is mended by reading
   * the store again.
   */
  exclusive?<T>(work: () => Promise<T>): Promise<T>
}

export type TokenSourceEvent =
  | { readonly type: 'token.renewed'; readonly expiresAt: number }
  | { readonly type: 'token.renewal_failed'; readonly code: string; readonly retryInMs: number }

export interface KeepOptions {
  /** How long a caller waits, over several tries, for a server that cannot be reached. 0 to 600,000. @default 10_000 */
  readonly patienceMs?: number
  /** The life of a token whose answer has no `expires_in`. 1 to 86,400. @default 60 */
  readonly defaultLifeSeconds?: number
  onEvent?(event: TokenSourceEvent): void
}

export interface TokenSourceOptions extends ServerOptions, KeepOptions {
  readonly grant: Grant
}

export interface GetTokenOptions {
  /** `'rejected'`: a server refused the token, so another one is wanted. Other reasons change nothing. */
  readonly reason?: string
  /** The token that was refused, if the caller knows: then one that came meanwhile is not given up. */
  readonly token?: string
  /** Ends the caller's wait; a request that others wait for goes on. */
  readonly signal?: AbortSignal
}
