import { AuthError } from './auth-error.ts'

/** Why a call was denied. New reasons may come in a minor release. */
export const denialReasons = [
  'signed_out',
  'pending_session',
  'unknown_user',
  'no_organization',
  'not_a_member',
  'workspace_hidden',
  'missing_permission',
  'step_up_required',
  'not_found',
  'runner_ended',
  'runner_refused',
] as const

export type DenialReason = (typeof denialReasons)[number]

/**
 * What a denied mutation or action returns in place of its result: were it thrown, the audit row would be rolled back
 * with everything else. {@link unwrap} throws it at the client.
 */
export interface Denied {
  countersignDenied: {
    reason: DenialReason
    message: string
    /** With `runner_refused`: which of `runnerRefusalCodes`. */
    runner?: string
  }
}

/** What to tell the person, by reason; names nothing that is not theirs to know. */
export const denialMessages: Readonly<Record<DenialReason, string>> = {
  signed_out: 'Sign in first.',
  pending_session: 'Finish signing in: the session still has a task.',
  unknown_user: 'This account is not known here, or was closed.',
  no_organization: 'Choose an organisation first.',
  not_a_member: 'You are not a member of this organisation.',
  workspace_hidden: 'This workspace is not yours to see.',
  missing_permission: 'Your role does not allow this.',
  step_up_required: 'Confirm that it is you, then try again.',
  not_found: 'There is no such thing here.',
  runner_refused: 'This cannot be answered so: compare the code, and what you may give the runner.',
  runner_ended: 'This runner was revoked, or its tokens were ended.',
}

export function denied(reason: DenialReason): Denied {
  return { countersignDenied: { reason, message: denialMessages[reason] } }
}

/** The reason, whether `value` is a denied call's result or the `ConvexError` of a denied query; else undefined. */
export function readDenial(value: unknown): DenialReason | undefined {
  const inner = member(value, 'countersignDenied') ?? member(member(value, 'data'), 'countersignDenied')
  const reason = member(inner, 'reason')
  return denialReasons.find((one) => one === reason)
}

/** What was wrong with somebody's answer about a runner: one of `runnerRefusalCodes`. */
function readRunnerCode(value: unknown): string | undefined {
  const code = member(member(value, 'countersignDenied'), 'runner')
  return typeof code === 'string' ? code : undefined
}

/**
 * Awaits a call and throws its denial as what it is, so that a page has one way to handle both kinds.
 *
 * @throws AuthError `access_denied`, its `reason` one of {@link denialReasons}; `runner_refused`, its `reason` one of
 * `runnerRefusalCodes`; whatever else the call throws
 *
 * @example
 * await unwrap(client.mutation(api.runs.stop, { id }))
 */
export async function unwrap<Result>(call: Promise<Result> | Result): Promise<Exclude<Result, Denied>> {
  let result: Result
  try {
    result = await call
  } catch (error) {
    const reason = readDenial(error)
    throw reason === undefined ? error : accessDenied(reason, error)
  }
  const reason = readDenial(result)
  const code = readRunnerCode(result)
  if (code !== undefined) throw new AuthError('runner_refused', denialMessages.runner_refused, { reason: code })
  if (reason !== undefined) throw accessDenied(reason)
  // Narrowed by the lines above, which the compiler cannot follow through a generic.
  return result as Exclude<Result, Denied>
}

function accessDenied(reason: DenialReason, cause?: unknown): AuthError {
  return new AuthError('access_denied', denialMessages[reason], { reason, ...(cause === undefined ? {} : { cause }) })
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? Reflect.get(value, name)
    : undefined
}
