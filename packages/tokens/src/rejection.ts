/**
 * Why a token was not accepted. HTTP status, close codes, metric labels and documentation derive from this one list.
 * New codes may come in a minor release.
 */
export const rejectionCodes = [
  'no_token',
  'invalid_request',
  'malformed',
  'unsupported_alg',
  'unknown_key',
  'bad_signature',
  'wrong_type',
  'wrong_issuer',
  'wrong_audience',
  'bad_claims',
  'expired',
  'not_yet_valid',
  'revoked',
  'insufficient_scope',
  'proof_required',
  'proof_invalid',
  'keys_unavailable',
  'revocations_stale',
] as const

export type RejectionCode = (typeof rejectionCodes)[number]

/** What the operator should do about each code, apart from what went wrong. */
export const remedies: Readonly<Record<RejectionCode, string>> = {
  no_token: 'Send the access token in the Authorization header: "Authorization: Bearer <token>".',
  invalid_request: 'Send exactly one token, in the Authorization header only.',
  malformed: 'Send the token exactly as it was issued: three base64url segments, nothing around them.',
  unsupported_alg: "Sign with an algorithm on the verifier's list, or widen `algorithms` for this issuer.",
  unknown_key: "Publish the signing key before signing with it, and check that the verifier reads this issuer's JWKS.",
  bad_signature:
    "The token was changed or signed by another key: get a new one; if it repeats, compare the JWKS with the issuer's.",
  wrong_type: 'Send an access token (typ at+jwt), not an ID, refresh or logout token.',
  wrong_issuer: "Compare the verifier's `issuer` with the token's `iss`: they must be equal byte for byte.",
  wrong_audience: 'Ask the issuer for a token for this audience.',
  bad_claims: 'A required claim is missing or has the wrong type: compare the token with the profile in use.',
  expired: 'Get a new token; if it was just issued, check that both clocks are synchronised.',
  not_yet_valid: 'Check that both clocks are synchronised.',
  revoked: 'Sign in again; the token, its session, its client or its key was revoked.',
  insufficient_scope: 'Ask the issuer for a token with the missing scopes.',
  proof_required: 'This token is bound to a key: send a proof of possession with it.',
  proof_invalid: 'Make a fresh proof with the key that the token is bound to.',
  keys_unavailable:
    "The issuer's JWKS cannot be read: check the URL, the network and the issuer's health; then try again.",
  revocations_stale:
    "The revocation feed is too old to decide: check the feed's URL and the issuer's health; then try again.",
}

/** Where a check failed; never a value out of the token. */
export interface RejectionDetails extends ErrorOptions {
  /** The part that failed: `token`, `header.alg`, `signature`, `claims.aud`, … */
  readonly where?: string
  /** The setting of the verifier that decided, if one did: `algorithms`, `audience`, `profile.types`, … */
  readonly setting?: string | undefined
}

/** Thrown by a verifier that does not accept a token. Any other error is a fault of ours, never "invalid token". */
export class TokenRejected extends Error {
  override readonly name = 'TokenRejected'
  readonly code: RejectionCode
  /** The part of the token that failed: `token`, `header.alg`, `signature`, `claims.aud`, … */
  readonly where: string | undefined
  /** The setting that decided: `algorithms`, `audience`, … */
  readonly setting: string | undefined
  constructor(code: RejectionCode, message: string, details?: RejectionDetails) {
    super(message, details)
    this.code = code
    this.where = details?.where
    this.setting = details?.setting
  }
  /** What the operator should do next. */
  get remedy(): string {
    return remedies[this.code]
  }
}

const codes: ReadonlySet<unknown> = new Set(rejectionCodes)

/** True for a {@link TokenRejected} of any installed copy of this package (two copies break `instanceof`). */
export function isRejection(error: unknown): error is TokenRejected {
  return error instanceof Error && error.name === 'TokenRejected' && 'code' in error && codes.has(error.code)
}
