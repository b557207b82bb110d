import type { OwnedCredentials, RewrapOutcome } from '@countersign/credentials'
import type { ExpressAuth, ExpressAuthOptions } from '@countersign/express'
import type { Guard } from '@countersign/guard'
import type { SharedPasswordOutcome } from '@countersign/issuer'
import type { IssuerRoutesOptions, RouteHandler } from '@countersign/issuer/express'
import type { WebSocketAuth, WebSocketAuthOptions } from '@countersign/websocket/server'
import type { DefaultScope } from './config.ts'
import type { Machines, NewApiKey, NewMachine } from './machines.ts'
import type { ProtectedHandler, ProtectOptions } from './protect.ts'
import type { AuthResult } from './results.ts'
import type { TokenPayload } from './token-payload.ts'
import type { ModuleUsers } from './users.ts'

export interface AuthenticateOptions<Scope extends string> {
  /** Asks for less than all. */
  readonly scopes?: readonly Scope[]
  /** Where the attempt comes from, if it comes over a network: failures are then counted by it, too. */
  readonly address?: string
}

export interface Rewrapped {
  /** How many were sealed anew. */
  readonly signingKeys: number
  readonly credentials: number
  /** What could not be opened, and stays as it is. */
  readonly failed: RewrapOutcome['failed']
}

/** All of authentication in one process, over one directory. Every method but `hasPermission` rejects once it is closed. */
export interface AuthModule<Scope extends string = DefaultScope> {
  /**
   * A user's name and password; a client's, or an API key's, id or name and its secret. Says nothing about which of both
   * was wrong. Five failures a minute, then a growing pause.
   * @throws AuthModuleError `bad_option` for `scopes` that are no array
   */
  authenticate(identifier: string, secret: string, options?: AuthenticateOptions<Scope>): Promise<AuthResult>
  /**
   * What the token says; null when it is altered, over, revoked, or another's.
   * @throws AuthModuleError `unavailable` when that cannot be decided
   */
  validateToken(token: string): Promise<TokenPayload<Scope> | null>
  /** A new pair for a refresh token, which is good for one use: a second use ends the session, of whoever it was. */
  refreshToken(refreshToken: string): Promise<AuthResult>
  /** Ends the session of a refresh token or a user's token, with every token of it. @returns false if there was none */
  signOut(token: string): Promise<boolean>
  /** Whether a payload of `validateToken` has the scope; `null` has none. */
  hasPermission(payload: TokenPayload<Scope> | null, requiredScope: Scope): boolean
  /** Sealed, and durable when it resolves. Of the owner `module`. @throws CredentialsError */
  storeCredential(identifier: string, data: Uint8Array): Promise<void>
  /** In bytes of the caller's own; null when there is none. @throws CredentialsError */
  getCredential(identifier: string): Promise<Uint8Array | null>
  /** Of another owner, such as a user. @throws CredentialsError `name_invalid` */
  credentials(owner: string): OwnedCredentials
  /**
   * After a change of `kek`: seals signing keys and wraps credentials under the current one. Beside everything else, and
   * as often as wanted; when `failed` is empty, nothing needs the old one any more.
   */
  rewrap(): Promise<Rewrapped>
  readonly users: ModuleUsers<Scope>
  readonly clients: Machines<NewMachine<Scope>>
  readonly apiKeys: Machines<NewApiKey<Scope>>
  /** `changed`: another shared password than the last time; every token of before has ended. Undefined without one. */
  readonly sharedPassword: SharedPasswordOutcome | undefined
  /** What the adapters below rest on. */
  readonly guard: Guard<Scope>
  /** Middleware for Express 5, which has to be installed. */
  express(options?: ExpressAuthOptions): ExpressAuth<Scope>
  /** Closed with the module, at the latest. */
  webSocket<const Type extends string = never>(
    options?: Omit<WebSocketAuthOptions<Scope, Type>, 'guard'>,
  ): WebSocketAuth<Scope, Type>
  /**
   * Sign-in, sign-out, refresh, keys and metadata over HTTP: a handler for `node:http` and for Express's `use`.
   * @throws AuthModuleError `bad_option` with HS256
   */
  routes(options?: IssuerRoutesOptions): RouteHandler
  /** A handler of the web's `Request` behind a scope: 401 `Invalid token`, 403 `Insufficient permissions`. */
  protect(handler: ProtectedHandler<Scope>, options: ProtectOptions<Scope>): (request: Request) => Promise<Response>
  /** Lets what runs end, closes sockets and files. Any number of times. */
  close(): Promise<void>
}
