/** What can go wrong outside of a token that was refused (that is `TokenRejected`). New codes may come in a minor release. */
export const authErrorCodes = [
  'bad_option',
  'bad_claims',
  'bad_webhook',
  'clerk_refused',
  'clerk_unavailable',
  'overlapping_providers',
  'access_denied',
  'runner_refused',
  'tenant_misuse',
  'no_live_token',
] as const

export type AuthErrorCode = (typeof authErrorCodes)[number]

/** What the operator should do about each code, apart from what went wrong. */
export const authErrorRemedies: Readonly<Record<AuthErrorCode, string>> = {
  bad_option: 'Correct the option that the message names.',
  bad_claims:
    "The claims are not those of a Clerk session: compare the token with Clerk's session token, version 1 or 2.",
  bad_webhook:
    "Compare the signing secret with that of the endpoint in Clerk's dashboard, and pass the body exactly as it came.",
  clerk_refused:
    "Clerk's Backend API refused the call: read `status` and `reason`, and compare the secret key with the instance.",
  clerk_unavailable: "Clerk's Backend API cannot be reached: check the network and Clerk's status; then try again.",
  overlapping_providers:
    'Convex takes the first provider that fits: give each pair of issuer and audience to one provider only.',
  access_denied:
    'The call was denied, for the `reason` given: look it up in `authAudit`, or in the log if it was a query.',
  runner_refused:
    'The answer about a runner was turned away: look the `reason` up among the codes of runners, which say what to do.',
  tenant_misuse:
    "A function asks of `ctx.db` what would leave its tenant: list the table under `tenants`, or give the index that begins with the tenant's field.",
  no_live_token:
    'The call was not sent: no token lives. Read `reason`: sign in after `signed-out`; `degraded` and `unavailable` end by themselves when Clerk, or Convex, is back.',
}

/** Where the fault is; never a value out of a token. */
export interface AuthErrorDetails extends ErrorOptions {
  /** The HTTP status that Clerk answered with. */
  readonly status?: number
  /** Clerk's own code of the fault: `resource_not_found`, …; or why access was denied: `missing_permission`, … */
  readonly reason?: string
}

/** Thrown for a fault or a misuse; a token that is not accepted is a `TokenRejected` instead. */
export class AuthError extends Error {
  override readonly name = 'AuthError'
  readonly code: AuthErrorCode
  readonly status: number | undefined
  readonly reason: string | undefined
  constructor(code: AuthErrorCode, message: string, details?: AuthErrorDetails) {
    super(message, details)
    this.code = code
    this.status = details?.status
    this.reason = details?.reason
  }
  /** What the operator should do next. */
  get remedy(): string {
    return authErrorRemedies[this.code]
  }
}

const codes: ReadonlySet<unknown> = new Set(authErrorCodes)

/** True for an {@link AuthError} of any installed copy of this package (two copies break `instanceof`). */
export function isAuthError(error: unknown): error is AuthError {
  return error instanceof Error && error.name === 'AuthError' && 'code' in error && codes.has(error.code)
}
