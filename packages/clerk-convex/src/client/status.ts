/**
 * `loading`: Clerk, the first token or Convex has yet to answer.
 * `signed-in`: Convex knows who this is, and a token lives. An outage of Clerk does not show here while one does.
 * `degraded`: was signed in, and the token ended without Clerk giving another, or Convex taking it. Nothing was cleared:
 * the last results stay, calls are refused.
 * `unavailable`: nobody can say: Clerk gives no token for this session, or does not load. It is no reason to sign out.
 * `signed-out`: Clerk said so.
 */
export type ClientAuthState = 'loading' | 'signed-in' | 'signed-out' | 'degraded' | 'unavailable'

/** Who is signed in; a new object at each change, and only then. */
export interface ClientAuthStatus {
  readonly state: ClientAuthState
  /** Of the session, as Clerk names them; absent when nobody is signed in. */
  readonly session?: string
  readonly subject?: string
  readonly org?: string
  /** Unix seconds, by the issuer's clock: the end of the token in use, which may have passed. */
  readonly expiresAt?: number
  /** The last try for a token failed; `signed-in` goes on until `expiresAt`. */
  readonly isRenewalFailing: boolean
}

export type ClientAuthEvent =
  | { readonly type: 'state'; readonly from: ClientAuthState; readonly to: ClientAuthState }
  | { readonly type: 'token_renewed'; readonly expiresAt: number }
  | {
      readonly type: 'renewal_failed'
      /** In a row. */
      readonly failures: number
      readonly reason: RenewalFailure
      /** Milliseconds to the next try. */
      readonly retryInMs: number
    }
  /** Convex does not take the token. */
  | { readonly type: 'token_refused'; readonly refusals: number }

/**
 * `error`: `getToken` threw. `no_token`: it answered null. `slow`: not yet answered. `unreadable`: no JWT with an end.
 * `ended`: it had ended already. `foreign`: it is of another user, session or organisation. `stale`: the same again.
 */
export type RenewalFailure = 'error' | 'no_token' | 'slow' | 'unreadable' | 'ended' | 'foreign' | 'stale'
