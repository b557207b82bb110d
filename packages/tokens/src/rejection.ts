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
  malformed:
    'Send the access token exactly as it was issued, nothing around it. An opaque or encrypted one cannot be verified here: ask the issuer for a JWT, with most of them by naming this API as audience or resource.',
  unsupported_alg:
    "For another issuer's tokens give its profile (`auth0`, `keycloak`, …) or widen `algorithms`; else sign with an algorithm on the verifier's list.",
  unknown_key:
    "Check that the verifier reads this issuer's JWKS, and that the signing key is published there before it signs: a new one is found within 30 s. A published key that is weak, or RSA without `alg`, is not used.",
  bad_signature:
    "The token was changed or signed by another key: get a new one; if it repeats, compare the JWKS with the issuer's.",
  wrong_type:
    "Send an access token, not an ID, refresh or logout token; for another issuer's access tokens give its profile (`auth0`, `keycloak`, …).",
  wrong_issuer:
    "Compare the verifier's `issuer` with the token's `iss`: they must be equal byte for byte, also a slash at the end.",
  wrong_audience: "Ask the issuer for a token for this audience, or correct the verifier's `audience`.",
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

const leaveOut = 'Have the issuer leave that member out of the header: no token with it is accepted.'

/** Where the place or the setting says more than the code does. */
const closerRemedies: ReadonlyMap<string, string> = new Map([
  ['malformed header.kid', 'Have the issuer name its signing key in the header (`kid`), as its JWKS names it.'],
  ...['crit', 'b64', 'jwk', 'jku', 'x5u', 'x5c', 'zip', 'enc'].map((name): [string, string] => [
    `malformed header.${name}`,
    leaveOut,
  ]),
  ['malformed maxTokenLength', 'Have the issuer put less into its tokens, or raise `maxTokenLength`.'],
  [
    'unsupported_alg keys',
    "Compare the key's `alg` in the issuer's JWKS with that of the token: one key signs one way.",
  ],
  ['wrong_audience claims.azp', 'Give as `audience` the origin that the tokens are made for, which is their `azp`.'],
  ['bad_claims maxLifeSeconds', 'Have the issuer make tokens that live shorter, or raise `maxLifeSeconds`.'],
])

/**
 * What to do about a refusal: by its setting, by its place, else by its code alone.
 *
 * @param at where it failed and which setting decided
 */
export function remedyFor(code: RejectionCode, at: { readonly where?: unknown; readonly setting?: unknown }): string {
  const closer = closerRemedies.get(`${code} ${at.setting}`) ?? closerRemedies.get(`${code} ${at.where}`)
  return closer ?? remedies[code]
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
    return remedyFor(this.code, this)
  }
}

const codes: ReadonlySet<unknown> = new Set(rejectionCodes)

/** True for a {@link TokenRejected} of any installed copy of this package (two copies break `instanceof`). */
export function isRejection(error: unknown): error is TokenRejected {
  return error instanceof Error && error.name === 'TokenRejected' && 'code' in error && codes.has(error.code)
}
