/** What can keep a secret from being stored or read. New codes may come in a minor release. */
export const credentialsErrorCodes = [
  'name_invalid',
  'data_too_large',
  'too_many',
  'contended',
  'malformed',
  'kek_unknown',
  'not_authentic',
  'fernet_key_invalid',
  'fernet_invalid',
  'fernet_expired',
  'closed',
] as const

export type CredentialsErrorCode = (typeof credentialsErrorCodes)[number]

/** What the operator should do about each code. */
export const credentialsRemedies: Readonly<Record<CredentialsErrorCode, string>> = {
  name_invalid: 'Use 1 to 256 printable characters without / or \\, and neither . nor .. alone.',
  data_too_large:
    'Store a key, a token or a password of at most 65,536 bytes; keep documents elsewhere, under a key stored here.',
  too_many: 'Remove what is no longer used, or raise `maxPerOwner`.',
  contended: 'Several processes keep writing the same credential; find out which, and try again.',
  malformed: 'The stored record is damaged: restore it from a backup, or remove it and store the secret anew.',
  kek_unknown: 'Give the key-encryption key that the message names as well, until everything has been rewrapped.',
  not_authentic:
    'The stored record was altered, or moved from another place: find out by whom; restore it from a backup.',
  fernet_key_invalid: 'A Fernet key is 32 bytes in URL-safe base64; give the keys in the order of MultiFernet.',
  fernet_invalid: 'No key given made this token, or it was altered.',
  fernet_expired: 'The token is older than the time to live that was asked for, or comes from the future.',
  closed: 'Close the credentials after their last user.',
}

/** Why a secret was not stored or read. Carries neither secrets nor what was stored. */
export class CredentialsError extends Error {
  override readonly name = 'CredentialsError'
  readonly code: CredentialsErrorCode
  constructor(code: CredentialsErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
  /** What the operator should do next. */
  get remedy(): string {
    return credentialsRemedies[this.code]
  }
}

const codes: ReadonlySet<unknown> = new Set(credentialsErrorCodes)

/** True for a {@link CredentialsError} of any installed copy of this package. */
export function isCredentialsError(error: unknown): error is CredentialsError {
  return error instanceof Error && error.name === 'CredentialsError' && 'code' in error && codes.has(error.code)
}
