/** Everything that this package refuses or fails to do. New codes may come in a minor release. */
export const observabilityErrorCodes = [
  'invalid_options',
  'metrics_listen_failed',
  'audit_unsafe_file',
  'audit_unwritable',
  'audit_queue_full',
  'audit_invalid_record',
  'audit_closed',
] as const

export type ObservabilityErrorCode = (typeof observabilityErrorCodes)[number]

/** What the operator should do about each code, apart from what went wrong. */
export const remedies: Readonly<Record<ObservabilityErrorCode, string>> = {
  invalid_options: 'Correct the option that the message names.',
  metrics_listen_failed: 'Free the port, or choose another one for metrics (COUNTERSIGN_METRICS_PORT).',
  audit_unsafe_file:
    'The audit log must be a regular file of this user with mode 0600: move the file away, or run "chmod 600" on it.',
  audit_unwritable:
    'Make room on the disk, or bring the directory of the audit log back; until then what must be recorded is refused.',
  audit_queue_full: 'The disk under the audit log is too slow or stuck: look at its latency, then at the load.',
  audit_invalid_record: 'Fix the caller: the message names the member of the audit event that is out of bounds.',
  audit_closed: 'Stop using the audit log before closing it; on a shutdown this is a request that came too late.',
}

/** Thrown by everything of this package; {@link code} says why, {@link remedy} what to do. */
export class ObservabilityError extends Error {
  override readonly name = 'ObservabilityError'
  readonly code: ObservabilityErrorCode
  constructor(code: ObservabilityErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
  /** What the operator should do next. */
  get remedy(): string {
    return remedies[this.code]
  }
}

const codes: ReadonlySet<unknown> = new Set(observabilityErrorCodes)

/** True for an {@link ObservabilityError} of any installed copy of this package (two copies break `instanceof`). */
export function isObservabilityError(error: unknown): error is ObservabilityError {
  return error instanceof Error && error.name === 'ObservabilityError' && 'code' in error && codes.has(error.code)
}
