/** What this package can be misused for. New codes may come in a minor release. */
export const tokensErrorCodes = [
  'bad_option',
  'insecure_url',
  'bad_key',
  'claims_refused',
  'signing_failed',
  'sync_unavailable',
  'engine_unavailable',
] as const

export type TokensErrorCode = (typeof tokensErrorCodes)[number]

/** What the operator should do about each code. */
export const tokensErrorRemedies: Readonly<Record<TokensErrorCode, string>> = {
  bad_option: 'Correct the option that the message names.',
  insecure_url: 'Use https; plain http is for loopback addresses only.',
  bad_key:
    'Give a key that the message allows: a public JWK with a kid, or for HS256 a random secret. Make a new one if this one is weak.',
  claims_refused: 'Correct the claim that the message names before signing.',
  signing_failed: 'Check the signer: it must return the raw signature (RFC 7518 section 3.4, RFC 8037 section 3.1).',
  sync_unavailable: 'Use `verify` or `signAccessToken`: this runtime, or this key, cannot work synchronously.',
  engine_unavailable:
    'Use a runtime whose WebCrypto knows the algorithm, or pass an engine as `ed25519`; install sodium-native for that of sodium.',
}

/** A fault of configuration or use: never thrown because of what a token says. */
export class TokensError extends Error {
  override readonly name = 'TokensError'
  readonly code: TokensErrorCode
  constructor(code: TokensErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
  /** What the operator should do next. */
  get remedy(): string {
    return tokensErrorRemedies[this.code]
  }
}

const codes: ReadonlySet<unknown> = new Set(tokensErrorCodes)

/** True for a {@link TokensError} of any installed copy of this package. */
export function isTokensError(error: unknown): error is TokensError {
  return error instanceof Error && error.name === 'TokensError' && 'code' in error && codes.has(error.code)
}
