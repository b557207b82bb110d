/** What this package can be misused for. New codes may come in a minor release. */
export const expressAuthErrorCodes = [
  'unguarded_route',
  'no_scope',
  'unknown_scope',
  'bad_access',
  'no_introspection',
  'bad_option',
] as const

export type ExpressAuthErrorCode = (typeof expressAuthErrorCodes)[number]

/** What to do about each code. */
export const expressAuthRemedies: Readonly<Record<ExpressAuthErrorCode, string>> = {
  unguarded_route: 'Put `requireScope` or `requireToken` of the same `expressAuth` before the handler.',
  no_scope: 'Name at least one scope, or use `requireToken` where any token will do.',
  unknown_scope: "Declare the scope in the consumer's entry of the matrix, or correct its name.",
  no_introspection: 'Give createGuard an `introspect` function, or take `introspect` from the route.',
  bad_option: 'Correct the option that the message names.',
  bad_access: 'Say who may call the route: one or more scopes, "token" or "public".',
}

/** A fault in how routes are set up: a request is never its cause. */
export class ExpressAuthError extends Error {
  override readonly name = 'ExpressAuthError'
  readonly code: ExpressAuthErrorCode
  constructor(code: ExpressAuthErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
  /** What to do next. */
  get remedy(): string {
    return expressAuthRemedies[this.code]
  }
}

const codes: ReadonlySet<unknown> = new Set(expressAuthErrorCodes)

/** True for an {@link ExpressAuthError} of any installed copy of this package. */
export function isExpressAuthError(error: unknown): error is ExpressAuthError {
  return error instanceof Error && error.name === 'ExpressAuthError' && 'code' in error && codes.has(error.code)
}
