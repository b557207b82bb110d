/** Why a token was not accepted: the one list of `@countersign/tokens`, to which a test holds it. */
export const rejectionReasons = [
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

/** No decision could be made: these burn the error budget, refusals do not. */
export const errorReasons: readonly string[] = ['keys_unavailable', 'revocations_stale', 'fault']

/** `unknown`: no readable header. Rarer algorithms are `other`, which keeps the series of a surface under 200. */
export const verifiedAlgorithms: readonly string[] = ['EdDSA', 'Ed25519', 'ES256', 'RS256', 'HS256', 'none', 'unknown']

export const grants: readonly string[] = ['sign_in', 'client_credentials', 'refresh_token', 'token_exchange']
export const results: readonly string[] = ['ok', 'denied', 'error']

/** The token service's own routes. */
export const tokenServiceRoutes: readonly string[] = [
  'GET /.well-known/oauth-authorization-server',
  'GET /.well-known/openid-configuration',
  'GET /.well-known/jwks.json',
  'POST /auth/sign-in',
  'POST /auth/sign-out',
  'GET /auth/status',
  'POST /oauth/token',
  'POST /oauth/revoke',
  'POST /oauth/introspect',
  'GET /revocations',
  'GET /revocations/stream',
  'GET /revocations/jwks.json',
  'POST /consumers/ack',
  'GET /healthz',
  'GET /readyz',
]
