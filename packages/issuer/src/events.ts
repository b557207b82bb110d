import type { AssertionFault } from './client-assertion.ts'
import type { IssuerErrorCode } from './errors.ts'
import type { ExchangeRefusal } from './exchange/refuse.ts'
import type { GrantType, SessionEndReason } from './ports.ts'

/** What the issuer reports as it happens. Carries no secret, no token and nothing that a caller typed. */
export type IssuerEvent =
  | {
      readonly type: 'token_issued'
      readonly grant: GrantType
      readonly audience: string
      readonly clientId: string
      readonly kid: string
      readonly algorithm: string
    }
  | { readonly type: 'token_refused'; readonly grant: GrantType | 'unknown'; readonly error: IssuerErrorCode }
  | {
      readonly type: 'sign_in_failed'
      readonly reason: 'unknown_user' | 'wrong_password' | 'user_disabled' | 'changed_meanwhile'
      readonly clientId: string
      /** Absent for an unknown user. */
      readonly userId?: string
      /** Whence, as failures are counted: IPv6 by /64. */
      readonly address?: string
    }
  | {
      readonly type: 'client_authentication_failed'
      readonly reason:
        | 'unknown_client'
        | 'disabled'
        | 'wrong_secret'
        | 'wrong_method'
        | AssertionFault
        | 'assertion_replayed'
      readonly clientId?: string
      readonly address?: string
    }
  /** An attempt that was not looked at: failures of an account, an address or a client, or too many hashes at once. */
  | {
      readonly type: 'rate_limited'
      readonly limit: 'account' | 'address' | 'client' | 'hashes'
      /** What the failures are counted under: an address, a client id, or a hash of the account's identifier. */
      readonly counted?: string
    }
  /** A spent refresh token came again: one of the two who used it is not its owner. The session has ended. */
  | {
      readonly type: 'refresh_reused'
      readonly sessionId: string
      readonly clientId: string
      /** Who presented it this time. */
      readonly presentedBy: string
      readonly firstUsedAt: number
      readonly usedAgainAt: number
    }
  /** The client had not got the answer: its previous token came again, in time, and got the same successor. */
  | { readonly type: 'refresh_replayed'; readonly sessionId: string; readonly clientId: string }
  /** An exchange that was not made; the answer says less. */
  | {
      readonly type: 'exchange_refused'
      readonly reason: ExchangeRefusal
      readonly clientId: string
      /** The audience of the presented token, once that is known. */
      readonly from?: string
    }
  | { readonly type: 'token_revoked'; readonly jti: string; readonly clientId: string }
  | { readonly type: 'session_ended'; readonly sessionId: string; readonly reason: SessionEndReason }
  /** Another issuer told of it; `id` has that issuer's name in front. */
  | { readonly type: 'foreign_ended'; readonly what: 'session' | 'subject' | 'organization'; readonly id: string }
  | {
      readonly type: 'user_changed'
      readonly action: 'added' | 'disabled' | 'password_set' | 'scopes_set'
      readonly userId: string
    }
  | {
      readonly type: 'client_changed'
      readonly action: 'added' | 'disabled' | 'secret_rotated' | 'key_rotated'
      readonly clientId: string
    }
  /** This process has read on in the revocation feed: where it stands, and how much is in force. */
  | { readonly type: 'feed_advanced'; readonly seq: number; readonly entries: number; readonly at: number }
  /** What has ended by the store's own rows but was not in the revocation log, counted before it was put there. */
  | { readonly type: 'revocations_compared'; readonly missing: number; readonly entries: number }
  /** The canary's revocation came out of this process's feed: how long after it was acknowledged. */
  | { readonly type: 'canary_seen'; readonly latencySeconds: number }
  | { readonly type: 'introspected'; readonly active: boolean }
  | { readonly type: 'password_rehashed' }
  | { readonly type: 'pruned'; readonly rows: number }
  /** Something of ours failed; the request was answered with a 5xx. `error` is for the log's serializer, never for the wire. */
  | {
      readonly type: 'fault'
      readonly part: 'store' | 'audit' | 'keys' | 'prune' | 'feed' | 'http' | 'unknown'
      readonly error: unknown
    }

export type OnIssuerEvent = (event: IssuerEvent) => void
