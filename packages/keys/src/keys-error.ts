/** Why the key ring refuses or fails. New codes may come in a minor release. */
export const keysErrorCodes = [
  'policy_invalid',
  'overlap_impossible',
  'propagation_impossible',
  'blackout_impossible',
  'demo_refused',
  'ring_invalid',
  'ring_mismatch',
  'ring_rolled_back',
  'ring_deleted',
  'signer_invalid',
  'signature_wrong',
  'key_not_ours',
  'key_unknown',
  'wrong_state',
  'too_early',
  'too_late',
  'blackout',
  'reason_missing',
  'clock_skewed',
  'audit_failed',
  'store_failed',
  'store_contended',
  'lease_expired',
  'not_signing',
  'key_too_old',
  'life_too_long',
  'wrong_issuer',
  'vault_misconfigured',
  'vault_unavailable',
  'vault_denied',
  'vault_refused',
  'vault_answer_invalid',
  'transit_key_unfit',
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
  blackout_impossible: 'Shorten or remove a blackout that the message names, or raise the greatest age of a key.',
  demo_refused: 'Use the demo policy for issuers on localhost only; elsewhere leave `demo` out.',
  ring_invalid: 'Restore the key ring from a backup: what the store holds is not a key ring of this version.',
  ring_mismatch: 'Use another ring name, or the issuer, purpose and algorithm that this ring was created with.',
  ring_rolled_back:
    'If the store was restored from a backup on purpose, restart every process that uses it; otherwise find out who wrote.',
  ring_deleted:
    'Undelete the version that the message names; or, to begin anew with other keys, delete all metadata of the secret.',
  signer_invalid: 'Give the ring a `kek`, a `signer`, or, while it moves from one to the other, both.',
  signature_wrong:
    'Find out which key the signer used: a signature that its published key does not verify was thrown away.',
  key_not_ours:
    'Provide the key-encryption key that the ring was sealed with; if it is the right one, treat the store as tampered with.',
  key_unknown: 'Look the key id up with `countersign keys list`.',
  wrong_state: 'Look at the states with `countersign keys status`: no state goes back.',
  too_early: 'Wait until the instant in the message: until then some verifier may not hold the new key.',
  too_late: 'Nothing: the key is past this step already.',
  blackout:
    'Wait until the instant in the message; if it cannot wait, override the blackout: `--emergency --reason WHY`.',
  reason_missing: 'Say why: what overrides a rule is recorded with its reason.',
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
  vault_misconfigured: 'Correct the option of the Vault adapter that the message names.',
  vault_unavailable:
    'Bring Vault back: it is sealed, overloaded or out of reach. Answer 503 with Retry-After; the adapter looks every second.',
  vault_denied:
    "Give the Vault role the policy that docs/how-to/keep-keys-in-vault.md shows, or renew the role's credentials.",
  vault_refused: 'Check the mount, path and key name that the message names; Vault said why.',
  vault_answer_invalid:
    'Point `address` at Vault itself or at a load balancer before its active node: something else answered.',
  transit_key_unfit: 'Let the adapter make the transit key: type ed25519, not derived, of this ring alone.',
  closed: 'Create a new key ring: this one was closed.',
}

/** Thrown by everything in this package. Carries no secret. */
export class KeysError extends Error {
  override readonly name = 'KeysError'
  readonly code: KeysErrorCode
  /** `too_early`, `blackout`: when it becomes lawful, in Unix seconds. */
  readonly lawfulAt: number | undefined
  /** `vault_unavailable`: when it is worth asking again. */
  readonly retryAfterSeconds: number | undefined
  constructor(
    code: KeysErrorCode,
    message: string,
    options?: ErrorOptions & { readonly lawfulAt?: number; readonly retryAfterSeconds?: number },
  ) {
    super(message, options)
    this.code = code
    this.lawfulAt = options?.lawfulAt
    this.retryAfterSeconds = options?.retryAfterSeconds
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
