import type { PublishedJwks } from '@countersign/keys'
import type { Acknowledgement, FeedPosition } from '@countersign/revocation'
import type { ActClaim } from '@countersign/tokens'
import type { Clients, Requested, Users } from './account-types.ts'
import type { RevocationFeed } from './feed/feed.ts'
import type { ForeignIssuers } from './foreign-issuers.ts'
import type { LiveTokens, SessionEndReason } from './ports.ts'
import type { SharedPassword, SharedPasswordOutcome, SharedSignInRequest } from './shared-password.ts'

export type { ClientInfo, Clients, NewClient, Page, Requested, UserInfo, Users } from './account-types.ts'

/** How a client showed who it is: exactly one way per request (RFC 6749 section 2.3). */
export type ClientCredentials =
  | {
      readonly method: 'client_secret_basic' | 'client_secret_post'
      readonly clientId: string
      readonly secret: string
    }
  /** A JWT that the client signed with its own key (RFC 7523); `clientId` is what it says in `sub`. */
  | { readonly method: 'private_key_jwt'; readonly clientId: string; readonly assertion: string }
  /** A public client: only its name. */
  | { readonly method: 'none'; readonly clientId: string }

/** What every request over a transport carries. */
export interface FromOutside {
  readonly client: ClientCredentials
  /** The peer's IP address, as far as it can be trusted; failures are counted under it. */
  readonly address?: string
  /**
   * The browser's Origin; absent: no browser. Present, it must be on the client's list (public clients), and for a client
   * whose refresh token travels in a cookie it must be present.
   */
  readonly origin?: string
  /** The browser's Sec-Fetch-Site; a client whose refresh token travels in a cookie is refused across sites. */
  readonly fetchSite?: string
}

export interface Target {
  /** The audience by name. Needed when the client may use several. */
  readonly audience?: string
  /** The audience by its resource URL (RFC 8707); with `audience`, both must name the same. */
  readonly resource?: string
  /** Space-separated. @default all scopes of the audience that the client is allowed */
  readonly scope?: string
}

export interface SignInRequest extends FromOutside, Target {
  readonly identifier: string
  readonly secret: string
}

export interface ClientCredentialsRequest extends FromOutside, Target {}

export interface RefreshRequest extends FromOutside, Target {
  readonly refreshToken: string
  /** Where it was found; it must be the client's way. */
  readonly deliveredBy: 'cookie' | 'body'
}

/** RFC 8693 section 2.1. */
export interface TokenExchangeRequest extends FromOutside, Target {
  readonly subjectToken: string
  /** `urn:ietf:params:oauth:token-type:access_token` or `…:jwt`. */
  readonly subjectTokenType: string
  /** Whom the client acts with, such as the operator before a console; a token of ours. @default the client itself */
  readonly actorToken?: string
  readonly actorTokenType?: string
  /** As for the subject token. @default access token */
  readonly requestedTokenType?: string
  /** Why, for the audit log: 1 to 256 characters. Required where the edge says so. */
  readonly reason?: string
}

export interface TokenRequestFromOutside extends FromOutside {
  readonly token: string
}

/** A new access token, and a refresh token where the grant gives one. */
export interface TokenAnswer {
  readonly accessToken: string
  readonly expiresInSeconds: number
  readonly scope: string
  readonly audience: string
  readonly subject: string
  readonly sessionId: string
  readonly clientId: string
  readonly refresh: {
    readonly token: string
    /** Unused until then, it is refused. */
    readonly expiresInSeconds: number
    /** How it must travel. */
    readonly delivery: 'cookie' | 'body'
  } | null
  /** Of an exchange (RFC 8693 section 2.2.1). */
  readonly issuedTokenType?: string
}

/** RFC 7662 section 2.2. An inactive answer says nothing else. */
export type Introspection =
  | { readonly active: false }
  | {
      readonly active: true
      readonly iss: string
      readonly sub: string
      readonly client_id: string
      readonly scope: string
      readonly exp: number
      readonly iat: number
      readonly sid: string
      readonly aud: string
      readonly token_type?: 'Bearer'
      readonly jti?: string
      /** Who acts (RFC 8693 section 4.1). */
      readonly act?: ActClaim
    }

/** A refresh token or an access token that says who is asking; the holder of either may end its session. */
export interface SessionCredential {
  readonly token: string
  /** As in {@link FromOutside}; a plain question from the client's own host has none. */
  readonly origin?: string
  readonly fetchSite?: string
  /** Where the token was found. */
  readonly deliveredBy: 'cookie' | 'body' | 'header'
}

export type SessionStatus =
  | { readonly state: 'signed-out' }
  | {
      readonly state: 'signed-in'
      readonly subject: string
      readonly session: string
      readonly clientId: string
      readonly signedInAt: number
      /** When the credential that was shown, or the session, ends: whichever is sooner. */
      readonly expiresAt: number
    }

export interface SessionInfo {
  readonly id: string
  readonly userId: string
  readonly clientId: string
  readonly audience: string
  readonly scope: string
  readonly createdAt: number
  readonly expiresAt: number
  readonly endedAt: number | null
  readonly endReason: SessionEndReason | null
}

/** For the operator; ids are no secrets. */
export interface Sessions {
  /** Newest first. @throws IssuerError `unknown_user` */
  list(identifier: string, page?: { readonly limit?: number }): Promise<readonly SessionInfo[]>
  /** Whether it is open or has ended; undefined if there is none, or it is forgotten. */
  byId(id: string): Promise<SessionInfo | undefined>
  /**
   * @param requested `reason`: why, in the operator's words, for the audit log: 1 to 256 printable characters
   * @returns false if there is none by that id, or it has ended
   * @throws IssuerError `invalid_option`
   */
  revoke(id: string, requested?: Requested & { readonly reason?: string }): Promise<boolean>
}

/** What a compromise of a key takes with it. */
export interface BlastRadius {
  /** What counts as known to the thief: the one key, or every private key of the store. */
  readonly scope: 'store' | 'key'
  readonly rings: readonly { readonly ring: string; readonly kids: readonly string[] }[]
  /** Living tokens of these keys, by key and consumer: they are refused from then on. */
  readonly live: readonly LiveTokens[]
}

/** For the operator, after a compromise. */
export interface Keys {
  /** What {@link Keys.revoke} would reach; changes nothing. @param scope `store` by default @throws IssuerError `unknown_key` */
  blastRadius(kid: string, scope?: 'store' | 'key'): Promise<BlastRadius>
  /**
   * Withdraws the key for good and tells every verifier, with the key that signs instead. With `store` (the default) all
   * keys of all rings go, the feed's own too. Sessions stay: refresh tokens are not signed.
   * @throws IssuerError `unknown_key`
   */
  revoke(
    kid: string,
    options: { readonly reason: string; readonly scope?: 'store' | 'key' } & Requested,
  ): Promise<
    BlastRadius & {
      readonly revoked: readonly {
        readonly ring: string
        readonly revokedKids: readonly string[]
        readonly activeKid: string
      }[]
    }
  >
}

/** What a consumer holds, and who says so: a client with its secret, or an access token of the consumer's own. */
export type AcknowledgeRequest = { readonly acknowledgement: Acknowledgement } & (
  | FromOutside
  | { readonly token: string }
)

export interface ReadyReport {
  readonly status: 'ready' | 'degraded' | 'unready'
  /** By part, such as `store: 'ok'`. No secrets: anybody can read it. */
  readonly checks: Readonly<Record<string, string>>
}

export interface Issuer {
  /** The issuer identifier as configured. */
  readonly issuer: string
  readonly users: Users
  readonly clients: Clients
  readonly sessions: Sessions
  readonly keys: Keys
  /** Whose tokens may be exchanged beside our own, and what has ended there. */
  readonly foreign: ForeignIssuers
  /** The revocation feed; undefined where this process does not serve it. */
  readonly feed: RevocationFeed | undefined
  /** First-party sign-in. @throws IssuerError */
  signIn(request: SignInRequest): Promise<TokenAnswer>
  /**
   * Lets whoever knows one password sign in, until this process ends; call it before serving. Where it is another than
   * the last one of that name, every session and token of before ends. The process keeps only a keyed digest of it.
   * @throws IssuerError `weak_password`, `invalid_name`, `name_taken`, `invalid_target`, `invalid_scope`, `already_disabled`
   */
  useSharedPassword(shared: SharedPassword): Promise<SharedPasswordOutcome>
  /** Sign-in with the shared password. @throws IssuerError */
  sharedSignIn(request: SharedSignInRequest): Promise<TokenAnswer>
  /** RFC 6749 section 4.4. @throws IssuerError */
  clientCredentials(request: ClientCredentialsRequest): Promise<TokenAnswer>
  /** RFC 8693: a token for another audience, for the same subject. @throws IssuerError */
  exchange(request: TokenExchangeRequest): Promise<TokenAnswer>
  /** RFC 6749 section 6, single use. @throws IssuerError */
  refresh(request: RefreshRequest): Promise<TokenAnswer>
  /** RFC 7009: unknown tokens and other clients' tokens are left alone, without a word. @throws IssuerError */
  revoke(request: TokenRequestFromOutside): Promise<void>
  /** RFC 7662; for confidential clients. @throws IssuerError */
  introspect(request: TokenRequestFromOutside): Promise<Introspection>
  /** The operator's own: revokes any token of this issuer. @returns false if nothing was there to revoke */
  revokeToken(token: string, requested?: Requested): Promise<boolean>
  /**
   * The operator's own: issues a token to a client with the grant `client_credentials` without its secret. Recorded under
   * the operator's name.
   * @throws IssuerError `unknown_client`, `already_disabled`, `unauthorized_client`, `invalid_target`, `invalid_scope`
   */
  issueToken(clientName: string, request?: Target & Requested): Promise<TokenAnswer>
  /** The operator's own: whether an access token of any client is active now, by its row, session, client and user. */
  introspectToken(token: string): Promise<Introspection>
  /** Ends the session of the presented credential. @returns false if there was none */
  signOut(credential: SessionCredential): Promise<boolean>
  status(credential?: SessionCredential): Promise<SessionStatus>
  /** True if some browser client lists this origin (news of a client may take 1 s to show): for CORS preflights. */
  knowsOrigin(origin: string): Promise<boolean>
  /** True if this client, named by id or name, lists this origin. */
  clientAllowsOrigin(clientId: string, origin: string): Promise<boolean>
  /** The canonical id of a client given by id or name. */
  clientIdOf(clientIdOrName: string): Promise<string | undefined>
  /** Stores what a consumer acknowledges. @throws IssuerError `invalid_client`, `unauthorized_client`, `invalid_target` */
  acknowledge(request: AcknowledgeRequest): Promise<void>
  /** Where the revocation log stands now: whoever holds this position holds all that was revoked before the call. */
  revocationPosition(): Promise<FeedPosition>
  /** What live consumers acknowledged, with when. */
  acknowledgements(): Promise<readonly (Acknowledgement & { readonly at: number })[]>
  /** RFC 8414. */
  metadata(): Readonly<Record<string, unknown>>
  /** The public keys of all token rings, as they are now. */
  jwks(): PublishedJwks
  ready(): Promise<ReadyReport>
  /** Refuses new work, waits for what is running. Rings and stores are their owner's to close. */
  close(): Promise<void>
}
