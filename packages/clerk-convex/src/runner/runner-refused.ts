/** Why a runner, or who approves one, is turned away; proofs have codes of their own. New codes may come in a minor release. */
export const runnerRefusalCodes = [
  'invalid_request',
  'unsupported_grant',
  'proof_required',
  'unknown_user_code',
  'too_many_attempts',
  'unknown_device_code',
  'device_code_pending',
  'device_code_too_fast',
  'device_code_denied',
  'device_code_used',
  'device_code_expired',
  'key_in_use',
  'second_key',
  'unpaired_runner',
  'runner_revoked',
  'session_invalid',
  'assertion_invalid',
  'assertion_used',
  'not_a_member',
  'foreign_organization',
  'foreign_workspace',
  'scope_too_wide',
  'life_too_long',
  'no_token',
  'bearer_downgrade',
  'token_invalid',
  'token_expired',
  'token_unbound',
  'epoch_revoked',
  'insufficient_scope',
  'too_many_pairings',
  'unavailable',
] as const

export type RunnerRefusalCode = (typeof runnerRefusalCodes)[number]

/** What the operator should do about each code, apart from what went wrong. */
export const runnerRemedies: Readonly<Record<RunnerRefusalCode, string>> = {
  invalid_request: 'Send a form with each parameter once, as the README says.',
  unsupported_grant: 'Use the device code, token exchange or JWT bearer grant.',
  proof_required: "Send a proof of possession in the DPoP header, made with the runner's key.",
  unknown_user_code: 'Compare the code with what the runner shows; codes end after ten minutes.',
  too_many_attempts: 'Wait ten minutes: too many wrong codes were typed in by this person.',
  unknown_device_code: 'Start the pairing again, with the key that it was started with.',
  device_code_pending: 'Wait for somebody to approve the runner in the browser, then ask again.',
  device_code_too_fast: 'Ask no more often than `interval` says; it has just grown by five seconds.',
  device_code_denied: 'Somebody refused the runner in the browser: ask them, then start the pairing again.',
  device_code_used: 'The pairing is done: get further tokens with the key alone.',
  device_code_expired: 'Start the pairing again, and approve it before the code ends.',
  key_in_use: 'The key belongs to a paired runner: make a new key, or revoke that runner first.',
  second_key: 'A runner of this name is paired with another key: revoke it first, or choose another name.',
  unpaired_runner: 'Pair the runner: no runner has this key.',
  runner_revoked: 'The runner was revoked: pair it again, with a new key.',
  session_invalid: 'Sign in again: the session that was to be exchanged does not hold.',
  assertion_invalid: "Make an assertion for this token endpoint with the runner's key, for five minutes at most.",
  assertion_used: 'Make an assertion for each request: each is good once.',
  not_a_member: 'The person is no member of the organisation any more: add them, or pair the runner by somebody else.',
  foreign_organization: "Use a runner, and a session, of the resource's organisation.",
  foreign_workspace: 'Use a runner of this workspace, for a person who sees it.',
  scope_too_wide: 'Ask for scopes that the runner was approved for and that the role of its person has.',
  life_too_long: 'Ask for tokens of 15 minutes at most, and renew them.',
  no_token: 'Send the access token: "Authorization: DPoP <token>".',
  bearer_downgrade: 'Send a runner token by the DPoP scheme, never as a bearer token.',
  token_invalid: 'Get a new token from the runner endpoint.',
  token_expired: 'Get a new token; if it was just issued, check that both clocks are synchronised.',
  token_unbound: 'Get a token from the runner endpoint: this one is bound to no key.',
  epoch_revoked: "The runner's tokens were ended: get a new one.",
  insufficient_scope: "Get a token with the missing scopes, if the person's role has them still.",
  too_many_pairings: 'Try again in an hour: too many pairings were begun from this address, or from all together.',
  unavailable: 'The keys that tokens are checked with cannot be read: try again.',
}

/** Thrown when a person's answer about a runner is turned away, and inside of the endpoints. */
export class RunnerRefused extends Error {
  override readonly name = 'RunnerRefused'
  readonly code: RunnerRefusalCode
  constructor(code: RunnerRefusalCode, message: string = runnerRemedies[code], options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
  /** What the operator should do next. */
  get remedy(): string {
    return runnerRemedies[this.code]
  }
}

const codes: ReadonlySet<unknown> = new Set(runnerRefusalCodes)

/** True for a {@link RunnerRefused} of any installed copy of this package (two copies break `instanceof`). */
export function isRunnerRefusal(error: unknown): error is RunnerRefused {
  return error instanceof Error && error.name === 'RunnerRefused' && 'code' in error && codes.has(error.code)
}

export function refuse(code: RunnerRefusalCode, message?: string, options?: ErrorOptions): never {
  throw new RunnerRefused(code, message, options)
}
