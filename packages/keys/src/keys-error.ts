/** Why the key ring refuses or fails. New codes may come in a minor release. */
export const keysErrorCodes = [
  'policy_invalid',
  'overlap_impossible',
  'propagation_impossible',
  'demo_refused',
  'ring_invalid',
  'ring_mismatch',
  'ring_rolled_back',
  'key_not_ours',
  'key_unknown',
  'wrong_state',
  'too_early',
  'too_late',
  'clock_skewed',
  'audit_failed',
  'store_failed',
  'store_contended',
  'lease_expired',
  'not_signing',
  'key_too_old',
  'life_too_long',
  'wrong_issuer',
  'closed',
] as const

export type KeysErrorCode = (typeof keysErrorCodes)[number]

/** What the operator should do about each code, apart from what went wrong. */
export const remedies: Readonly<Record<KeysErrorCode, string>> = {
  policy_invalid: "Correct the setting that the message names in the ring's policy.",
  overlap_impossible:
    'Shorten `accessTokenLifeSeconds`, or raise `maxOverlapSeconds` so that the longest token outlives no key.',
  propagation_impossible:
    'Lower the cache lives (`jwksMaxAgeSeconds`, `verifierCacheSeconds`, …) or raise the limit that the message names.',
  demo_refused: 'Use the demo policy for issuers on localhost only; elsewhere leave `demo` out.',
  ring_invalid: 'Restore the key ring from a backup: what the store holds is not a key ring of this version.',
  ring_mismatch: 'Use another ring name, or the issuer, purpose and algorithm that this ring was created with.',
  ring_rolled_back:
    'If the store was restored from a backup on purpose, restart every process that uses it; otherwise find out who wrote.',
  key_not_ours:
    'Provide the key-encryption key that the ring was sealed with; if it is the right one, treat the store as tampered with.',
  key_unknown: 'Look the key id up with `countersign keys list`.',
  wrong_state: 'Look at the states with `countersign keys status`: no state goes back.',
  too_early: 'Wait until the instant in the message: until then some verifier may not hold the new key.',
  too_late: 'Nothing: the key is past this step already.',
  clock_skewed: 'Set the clock of this machine right; rotating is refused while it differs from the store.',
  audit_failed: 'Make the audit log writable: what cannot be recorded is not done.',
  store_failed: 'Bring the key store back; signing goes on from memory for the signer lease only.',
  store_contended: 'Try again: many processes changed the ring at once.',
  lease_expired:
    'Bring the key store back: this process has not reached it for longer than the signer lease and may hold old keys.',
  not_signing: 'Read the signer anew for each signature: this key no longer signs.',
  key_too_old:
    'Rotate at once (`countersign keys rotate`): the policy refuses to sign with a key past its greatest age.',
  life_too_long: "Ask for a shorter life, or raise `accessTokenLifeSeconds` in the ring's policy.",
  wrong_issuer: 'Leave `iss` out: a ring signs for its own issuer only.',
  closed: 'Create a new key ring: this one was closed.',
}

/** Thrown by everything in this package. Carries no secret. */
export class KeysError extends Error {
  override readonly name = 'KeysError'
  readonly code: KeysErrorCode
  /** `too_early`: when it becomes lawful, in Unix seconds. */
  readonly lawfulAt: number | undefined
  constructor(code: KeysErrorCode, message: string, options?: ErrorOptions & { readonly lawfulAt?: number }) {
    super(message, options)
    this.code = code
    this.lawfulAt = options?.lawfulAt
  }
  /** What the operator should do next. */
  get remedy(): string {
    return remedies[this.code]
  }
}

const codes: ReadonlySet<unknown> = new Set(keysErrorCodes)

/** True for a {@link KeysError} of any installed copy of this package. */
export function isKeysError(error: unknown): error is KeysError {
  return error instanceof Error && error.name === 'KeysError' && 'code' in error && codes.has(error.code)
}
