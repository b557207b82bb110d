/** What can go wrong on the runner's machine. New codes may come in a minor release. */
export const runnerErrorCodes = [
  'runner_bad_option',
  'key_missing',
  'key_exists',
  'key_file_exposed',
  'key_file_unreadable',
  'pairing_refused',
  'pairing_expired',
  'token_refused',
  'issuer_unavailable',
  'api_unavailable',
  'foreign_origin',
] as const

export type RunnerErrorCode = (typeof runnerErrorCodes)[number]

/** What the operator should do about each code. */
export const runnerErrorRemedies: Readonly<Record<RunnerErrorCode, string>> = {
  runner_bad_option: 'Correct the option that the message names.',
  key_missing: 'Pair the runner first: there is no key on this machine.',
  key_exists: 'Another process has just made a key: start again. To pair anew, remove the key file first.',
  key_file_exposed:
    'Revoke the runner, remove the key file and pair again: others could read or replace it. It belongs to one user, mode 0600.',
  key_file_unreadable: 'Remove the key file and pair again: it holds no key for proofs.',
  pairing_refused: 'Somebody refused the runner, or it cannot be paired as it is: read `reason`, ask them, pair again.',
  pairing_expired: 'Pair again, and approve the code before it ends.',
  token_refused: 'The runner gets no token: read `reason`; it may have been revoked, or its person left.',
  issuer_unavailable: 'The runner endpoint cannot be reached: try again; jobs go on while their token lives.',
  api_unavailable:
    'The API cannot be reached: try again, or set `retrySeconds`. Whether a request that got no answer was done is not known.',
  foreign_origin: 'Call the API that the runner was made for: tokens go nowhere else.',
}

export interface RunnerErrorDetails extends ErrorOptions {
  /** The OAuth error that the endpoint answered with: `access_denied`, `invalid_grant`, … */
  readonly reason?: string
}

/** Thrown by the runner's side. */
export class RunnerError extends Error {
  override readonly name = 'RunnerError'
  readonly code: RunnerErrorCode
  readonly reason: string | undefined
  constructor(code: RunnerErrorCode, message: string = runnerErrorRemedies[code], details?: RunnerErrorDetails) {
    super(message, details)
    this.code = code
    this.reason = details?.reason
  }
  /** What the operator should do next. */
  get remedy(): string {
    return runnerErrorRemedies[this.code]
  }
}

const codes: ReadonlySet<unknown> = new Set(runnerErrorCodes)

/** True for a {@link RunnerError} of any installed copy of this package (two copies break `instanceof`). */
export function isRunnerError(error: unknown): error is RunnerError {
  return error instanceof Error && error.name === 'RunnerError' && 'code' in error && codes.has(error.code)
}
