/** What this package can be misused for, or what it could not do. New codes may come in a minor release. */
export const guardErrorCodes = ['bad_option', 'no_resource', 'no_introspection', 'closed'] as const

export type GuardErrorCode = (typeof guardErrorCodes)[number]

/** What the operator should do about each code. */
export const guardRemedies: Readonly<Record<GuardErrorCode, string>> = {
  bad_option: 'Correct the option that the message names.',
  no_resource: "Declare the consumer's `resource` URL, or pass `resource` to createGuard: RFC 9728 metadata needs it.",
  no_introspection: 'Give createGuard an `introspect` function, or take `introspect` from the route.',
  closed: 'Stop taking requests before closing the guard.',
}

/** A fault of configuration or use. What a token says is never the cause: that is a decision. */
export class GuardError extends Error {
  override readonly name = 'GuardError'
  readonly code: GuardErrorCode
  constructor(code: GuardErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
  /** What the operator should do next. */
  get remedy(): string {
    return guardRemedies[this.code]
  }
}

const codes: ReadonlySet<unknown> = new Set(guardErrorCodes)

/** True for a {@link GuardError} of any installed copy of this package. */
export function isGuardError(error: unknown): error is GuardError {
  return error instanceof Error && error.name === 'GuardError' && 'code' in error && codes.has(error.code)
}
