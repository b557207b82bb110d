/** What a probe does, in this order. */
export const phases = [
  'sign_in',
  'verify',
  'call',
  'websocket',
  'exchange',
  'side_effect',
  'revoke',
  'feed',
  'refused',
  'closed',
] as const

export type Phase = (typeof phases)[number]

/** Why a probe failed, each with what to do. */
export const remedies = {
  unreachable: 'Look whether the service runs, and whether this host reaches it.',
  timeout: 'Look what keeps the service busy; the limit of a phase is PROBE_TIMEOUT_MS.',
  unavailable: 'Look at the readiness and the log of the service that the message names.',
  refused: "Check the probe's accounts (enabled? with their grants, audiences and scopes?), then who refused, and why.",
  wrong_answer: 'Look at what answers there: it is another service or version, or a proxy in between.',
  accepted: 'SECURITY: somebody lets in what must be refused. Take it out of service, then look at its guard.',
  late: 'Look at the revocation feed: until it comes, revoked tokens are good. The limit is REVOCATION_BOUND_MS.',
  wrong_account: 'Make the account anew with --synthetic, and with the scopes that the README names.',
  fault: 'The probe itself is at fault; the log has the error.',
} as const

export type FailureReason = keyof typeof remedies

export const failureReasons: readonly FailureReason[] = Object.keys(remedies) as FailureReason[]

/** What a phase met that should not be. The message has no secret, and nothing of an answer but its codes. */
export class ProbeFailure extends Error {
  override readonly name = 'ProbeFailure'
  readonly reason: FailureReason
  constructor(reason: FailureReason, message: string, options?: ErrorOptions) {
    super(message, options)
    this.reason = reason
  }
}

/** The monitor was told to end in the midst of a probe, which is nobody's failure. */
export class ProbeStopped extends Error {
  override readonly name = 'ProbeStopped'
}
