/** What this package can be misused for, or could not do. New codes may come in a minor release. */
export const mcpGuardErrorCodes = [
  'bad_option',
  'bad_name',
  'duplicate',
  'no_access',
  'unknown_scope',
  'round_the_wrapper',
  'started',
  'no_resource',
  'token_refused',
  'no_caller',
  'token_passed_on',
] as const

export type McpGuardErrorCode = (typeof mcpGuardErrorCodes)[number]

/** What to do about each code. */
export const mcpGuardRemedies: Readonly<Record<McpGuardErrorCode, string>> = {
  bad_option: 'Correct the option that the message names.',
  bad_name: 'Name it with 1 to 128 of A-Z a-z 0-9 _ - . and /; a resource by an absolute URI.',
  duplicate: 'Declare each tool, resource and prompt once.',
  no_access: 'Say who may use it: `scopes: [...]`, `scopes: "token"` for any accepted token, or `scopes: "public"`.',
  unknown_scope: "Declare the scope in the consumer's entry of the matrix, or correct its name.",
  round_the_wrapper: 'Register it through the guarded server, with its scopes, and take it out of the factory.',
  started: 'Declare everything before `http()` or `stdio()`.',
  no_resource: 'Give `http()` a `resource`, or the guard a consumer that has one.',
  token_refused:
    'Give the process a token that the issuer has just issued for this server: `countersign explain` says what is wrong with one.',
  no_caller: 'Ask for a token only where the access is not `public`, or look at `principal` first.',
  token_passed_on: 'Exchange the token (RFC 8693): a caller must not meet its own token at another server.',
}

/** A fault of set-up or use; a request is never its cause. */
export class McpGuardError extends Error {
  override readonly name = 'McpGuardError'
  readonly code: McpGuardErrorCode
  constructor(code: McpGuardErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
  /** What to do next. */
  get remedy(): string {
    return mcpGuardRemedies[this.code]
  }
}

const codes: ReadonlySet<unknown> = new Set(mcpGuardErrorCodes)

/** True for an {@link McpGuardError} of any installed copy of this package. */
export function isMcpGuardError(error: unknown): error is McpGuardError {
  return error instanceof Error && error.name === 'McpGuardError' && 'code' in error && codes.has(error.code)
}
