/** Why something could not be sealed, opened, read or written. New codes may come in a minor release. */
export const sealingErrorCodes = [
  'file_missing',
  'file_exists',
  'file_unsafe',
  'file_too_large',
  'file_failed',
  'kek_invalid',
  'kek_unknown',
  'kek_unwrapped_wrong',
  'credential_invalid',
  'plaintext_too_large',
  'context_invalid',
  'sealed_malformed',
  'sealed_not_authentic',
  'sealed_elsewhere',
] as const

export type SealingErrorCode = (typeof sealingErrorCodes)[number]

/** What the operator should do about each code, apart from what went wrong. */
export const remedies: Readonly<Record<SealingErrorCode, string>> = {
  file_missing: 'Check the path; if this is a new installation, run `countersign init`.',
  file_exists: 'Keep the existing file: overwriting a key-encryption key would lose everything sealed with it.',
  file_unsafe:
    'Make it a plain file (0600) or directory (0700), owned by the user that runs the service: `chown` and `chmod go-rwx`.',
  file_too_large: 'Check that the path names the right file: this one is larger than anything that belongs there.',
  file_failed: 'Check free space, permissions and the health of the disk; the cause says what the system answered.',
  kek_invalid: 'Restore the key-encryption key file from its backup: it must be 32 bytes in base64url on one line.',
  kek_unknown: 'Provide the key-encryption key with this id: the secret was sealed with another key than those given.',
  kek_unwrapped_wrong:
    'Check which key the wrapping service uses: it returned something else than the key that sealed the value.',
  credential_invalid:
    'Run the service under systemd with `LoadCredential=` or `LoadCredentialEncrypted=`, and give the name that stands there.',
  plaintext_too_large: 'Seal smaller secrets: at most 64 KiB each.',
  context_invalid: 'Give at most 16 context members, with short names and at most 1,024 characters each.',
  sealed_malformed: 'Restore the sealed value from a backup: it is not a JWE that this package makes.',
  sealed_not_authentic: 'Restore the sealed value from a backup: it was altered after it was sealed.',
  sealed_elsewhere:
    'Put the sealed value back where it belongs: it was sealed for another name, issuer or purpose and has been moved.',
}

/** Thrown by everything in this package. Carries no secret and no part of one. */
export class SealingError extends Error {
  override readonly name = 'SealingError'
  readonly code: SealingErrorCode
  constructor(code: SealingErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
  /** What the operator should do next. */
  get remedy(): string {
    return remedies[this.code]
  }
}

const codes: ReadonlySet<unknown> = new Set(sealingErrorCodes)

/** True for a {@link SealingError} of any installed copy of this package. */
export function isSealingError(error: unknown): error is SealingError {
  return error instanceof Error && error.name === 'SealingError' && 'code' in error && codes.has(error.code)
}
