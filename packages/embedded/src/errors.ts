/** What keeps an auth module from starting or answering. New codes may come in a minor release. */
export const authModuleErrorCodes = [
  'bad_option',
  'weak_secret_key',
  'kek_wrong',
  'data_incomplete',
  'other_issuer',
  'name_reserved',
  'unavailable',
  'closed',
] as const

export type AuthModuleErrorCode = (typeof authModuleErrorCodes)[number]

/** What the operator should do about each code. */
export const authModuleRemedies: Readonly<Record<AuthModuleErrorCode, string>> = {
  bad_option: 'Correct the named option; its bounds are in the docstring of `AuthConfig`.',
  weak_secret_key: 'Give `secretKey` at least 32 random bytes: `openssl rand -base64 48` makes some.',
  kek_wrong:
    'Give the `secretKey` or `kek` that this directory began with; to change it, `kek: keks(newOne, oldOne)` opens with both.',
  data_incomplete: 'Restore what is missing from your backup; to begin anew, name an empty directory.',
  other_issuer: 'Go back to the `issuer` that this directory began with, or begin anew in another directory.',
  name_reserved: 'Choose another name: this one stands for something else already.',
  unavailable: 'Try again; if it lasts, look at the disk that the directory is on.',
  closed: 'Close the module after its last user.',
}

/** A fault in options or surroundings. What issuer and credentials refuse comes as their own errors. */
export class AuthModuleError extends Error {
  override readonly name = 'AuthModuleError'
  readonly code: AuthModuleErrorCode
  constructor(code: AuthModuleErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
  /** What the operator should do next. */
  get remedy(): string {
    return authModuleRemedies[this.code]
  }
}

const codes: ReadonlySet<unknown> = new Set(authModuleErrorCodes)

/** True for an {@link AuthModuleError} of any installed copy of this package. */
export function isAuthModuleError(error: unknown): error is AuthModuleError {
  return error instanceof Error && error.name === 'AuthModuleError' && 'code' in error && codes.has(error.code)
}
