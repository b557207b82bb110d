import { isIssuerError, type TokenAnswer } from '@countersign/issuer'

/** Why nobody was let in. New ones may come in a minor release. */
export type AuthFailure =
  /** An unknown identifier, a wrong secret, one that is disabled or over: nobody learns which. */
  | 'invalid_credentials'
  /** Used before, over, or its session ended. */
  | 'invalid_refresh_token'
  /** More than the user, client or key may have, or no scope of the module. */
  | 'invalid_scope'
  /** Too many failures; see `retryAfterSeconds`. */
  | 'rate_limited'
  /** It cannot be decided now; try again. */
  | 'unavailable'

export interface AuthSuccess {
  readonly success: true
  readonly token: string
  /** Good for one use; null for clients and API keys, which authenticate again. */
  readonly refreshToken: string | null
  /** Unix seconds. */
  readonly expiresAt: number
  readonly error: null
}

export interface AuthRefused {
  readonly success: false
  readonly token: null
  readonly refreshToken: null
  readonly expiresAt: null
  readonly error: AuthFailure
  /** Of `rate_limited`, and of `unavailable` where it is known. */
  readonly retryAfterSeconds?: number
}

export type AuthResult = AuthSuccess | AuthRefused

export const refused = (error: AuthFailure, retryAfterSeconds?: number): AuthRefused => ({
  success: false,
  token: null,
  refreshToken: null,
  expiresAt: null,
  error,
  ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
})

/** What the issuer's refusals mean here; its faults stay thrown. */
export async function resultOf(
  work: () => Promise<TokenAnswer>,
  finish: (answer: TokenAnswer) => Promise<AuthSuccess>,
  denied: AuthFailure,
): Promise<AuthResult> {
  let answer: TokenAnswer
  try {
    answer = await work()
  } catch (error) {
    if (!isIssuerError(error)) throw error
    switch (error.code) {
      case 'invalid_grant':
      case 'invalid_client':
        return refused(denied)
      case 'invalid_scope':
        return refused('invalid_scope')
      case 'rate_limited':
        return refused('rate_limited', error.retryAfterSeconds)
      case 'temporarily_unavailable':
        return refused('unavailable', error.retryAfterSeconds)
      default:
        throw error
    }
  }
  return finish(answer)
}
