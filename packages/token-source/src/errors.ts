/** What can keep a token source from a token. New codes may come in a minor release. */
export const tokenSourceErrorCodes = [
  'bad_option',
  'client_refused',
  'grant_refused',
  'request_refused',
  'answer_invalid',
  'unavailable',
  'no_refresh_token',
  'store_failed',
  'closed',
] as const

export type TokenSourceErrorCode = (typeof tokenSourceErrorCodes)[number]

/** What the operator should do about each code. */
export const tokenSourceRemedies: Readonly<Record<TokenSourceErrorCode, string>> = {
  bad_option: 'Correct the option that the message names.',
  client_refused: "Check the client's id and its secret or key, and that it is enabled and may use this grant.",
  grant_refused:
    'What was presented is spent, expired, revoked or meant for somebody else: sign in again, or take a fresh subject token.',
  request_refused:
    'Ask only for the audience and the scopes that the client may have; the OAuth error is in the message.',
  answer_invalid: 'Look at what answers under the token endpoint: it is no OAuth server, or one that breaks RFC 6749.',
  unavailable: 'Try again after `retryAfterSeconds`; look at the authorization server if it lasts.',
  no_refresh_token: 'Sign in: the store holds no refresh token.',
  store_failed: 'Look at the store of tokens; the cause is attached.',
  closed: 'Close the token source after its last user.',
}

export interface TokenSourceErrorDetails extends ErrorOptions {
  /** `error` of RFC 6749 section 5.2, when the server sent one. */
  readonly oauthError?: string
  readonly retryAfterSeconds?: number
}

/** Why there is no token. Never carries a secret or a token. */
export class TokenSourceError extends Error {
  override readonly name = 'TokenSourceError'
  readonly code: TokenSourceErrorCode
  /** `error` of RFC 6749 section 5.2, when the server sent one. */
  readonly oauthError: string | undefined
  /** When another try makes sense, in seconds. */
  readonly retryAfterSeconds: number | undefined
  constructor(code: TokenSourceErrorCode, message: string, details: TokenSourceErrorDetails = {}) {
    super(message, details)
    this.code = code
    this.oauthError = details.oauthError
    this.retryAfterSeconds = details.retryAfterSeconds
  }
  /** What the operator should do next. */
  get remedy(): string {
    return tokenSourceRemedies[this.code]
  }
}

const codes: ReadonlySet<unknown> = new Set(tokenSourceErrorCodes)

/** True for a {@link TokenSourceError} of any installed copy of this package. */
export function isTokenSourceError(error: unknown): error is TokenSourceError {
  return error instanceof Error && error.name === 'TokenSourceError' && 'code' in error && codes.has(error.code)
}
