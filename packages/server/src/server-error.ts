/** Why the token service could not be configured or started. */
export const serverErrorCodes = [
  'config_not_found',
  'config_unreadable',
  'config_invalid',
  'not_initialised',
  'already_initialised',
  'address_unavailable',
] as const

export type ServerErrorCode = (typeof serverErrorCodes)[number]

/** What the operator should do about each code. */
export const serverRemedies: Readonly<Record<ServerErrorCode, string>> = {
  config_not_found: 'Run `countersign init`, or name the file with --config.',
  config_unreadable:
    'Check that the file exists, that this user may read it and that it is valid TypeScript, JavaScript or JSON.',
  config_invalid: 'Correct the named setting; docs/reference/configuration.md lists them all.',
  not_initialised:
    'Run `countersign init` once for a new service; otherwise mount its volume, or restore what is missing from your backup.',
  already_initialised: 'Choose another directory, or remove what is there if you are sure that nobody needs it.',
  address_unavailable: 'Stop what listens there, or choose another port with COUNTERSIGN_PORT.',
}

/** A fault in configuration or surroundings that the operator can put right. */
export class ServerError extends Error {
  override readonly name = 'ServerError'
  readonly code: ServerErrorCode
  constructor(code: ServerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
  /** What the operator should do next. */
  get remedy(): string {
    return serverRemedies[this.code]
  }
}

const codes: ReadonlySet<unknown> = new Set(serverErrorCodes)

/** True for a {@link ServerError} of any installed copy of this package. */
export function isServerError(error: unknown): error is ServerError {
  return error instanceof Error && error.name === 'ServerError' && 'code' in error && codes.has(error.code)
}
