/** Why a token is asked for: for a first or later connection, to stay connected, or since the last one was refused. */
export type GetTokenReason = 'connect' | 'refresh' | 'rejected'

export interface GetTokenRequest {
  /** `rejected`: a token that is kept somewhere must not be given again, but a new one got. */
  readonly reason: GetTokenReason
  /** With `rejected`: the token that was refused, so that one who has a newer one already gives that. */
  readonly token?: string
  /** Aborts when the answer is not waited for any more. */
  readonly signal: AbortSignal
}

/**
 * Gets an access token whenever a connection needs one. `undefined`: nobody is signed in, so the client stops.
 * A rejection is a failure that may pass: the client tries again later.
 */
export type GetToken = (request: GetTokenRequest) => Promise<string | undefined>
