/**
 * Why the issuer did not do something. The first group are the words of RFC 6749 section 5.2, RFC 8707 section 2 and
 * RFC 7009 and go over the wire; the second group is for the operator's own calls. New codes may come in a minor release.
 */
export const issuerErrorCodes = [
  'invalid_request',
  'invalid_client',
  'invalid_grant',
  'unauthorized_client',
  'unsupported_grant_type',
  'unsupported_response_type',
  'invalid_scope',
  'invalid_target',
  'rate_limited',
  'temporarily_unavailable',
  'server_error',
  'invalid_option',
  'invalid_name',
  'weak_password',
  'name_taken',
  'unknown_user',
  'unknown_client',
  'unknown_key',
  'unknown_issuer',
  'already_disabled',
] as const

export type IssuerErrorCode = (typeof issuerErrorCodes)[number]

/** What the operator should do about each code, apart from what went wrong. */
export const remedies: Readonly<Record<IssuerErrorCode, string>> = {
  invalid_request:
    'Compare the request with the reference: method, content type, each parameter once, nothing in the URL.',
  invalid_client:
    'Check the client id and its secret, and that the client is not disabled: `countersign clients list`.',
  invalid_grant: 'Sign in again: the identifier, the password or the refresh token is not valid now.',
  unauthorized_client:
    "Compare the client's record with what it asked for: its grants, whether it is first-party, its browser origins.",
  unsupported_grant_type: 'Use a grant that the metadata names in `grant_types_supported`.',
  unsupported_response_type: 'There is no authorization endpoint yet: use first-party sign-in or client credentials.',
  invalid_scope: "Ask only for scopes that the consumer has and that the client's record allows.",
  invalid_target: "Name one audience of the consumer matrix that the client's record allows and this grant may obtain.",
  rate_limited: 'Wait as long as Retry-After says; look for a client with a wrong secret or for somebody guessing.',
  temporarily_unavailable:
    "Try again after Retry-After; if it lasts, look at the store, the audit log and the ring's active key.",
  server_error: 'A fault of the service: look for the `fault` event of that moment in its log.',
  invalid_option: 'Correct the named option; its bounds are in the docstring.',
  invalid_name: 'Choose a name within the named rule.',
  weak_password:
    'Choose a password of 8 to 1,024 characters; one that is shared, of 16 at least that nobody can guess: `openssl rand -base64 24` makes one.',
  name_taken: 'Choose another name, or use the existing record.',
  unknown_user: 'Check the identifier: `countersign users list`.',
  unknown_client: 'Check the name: `countersign clients list`.',
  unknown_key: 'Look the key id up: `countersign keys list`.',
  unknown_issuer: 'Name one of `subjectVerifiers`, by its `name`.',
  already_disabled: 'Nothing to do: it was disabled before.',
}

export interface IssuerErrorOptions extends ErrorOptions {
  /** Whole seconds until another attempt is looked at. */
  readonly retryAfterSeconds?: number
}

/**
 * Thrown when the issuer refuses or cannot do something. Its message is one of a fixed list for the codes that go over
 * the wire: nothing that was sent in is in it.
 */
export class IssuerError extends Error {
  override readonly name = 'IssuerError'
  readonly code: IssuerErrorCode
  readonly retryAfterSeconds: number | undefined
  constructor(code: IssuerErrorCode, message: string, options?: IssuerErrorOptions) {
    super(message, options)
    this.code = code
    this.retryAfterSeconds = options?.retryAfterSeconds
  }
  /** What the operator should do next. */
  get remedy(): string {
    return remedies[this.code]
  }
}

const codes: ReadonlySet<unknown> = new Set(issuerErrorCodes)

/** True for an {@link IssuerError} of any installed copy of this package (two copies break `instanceof`). */
export function isIssuerError(error: unknown): error is IssuerError {
  return error instanceof Error && error.name === 'IssuerError' && 'code' in error && codes.has(error.code)
}
