import type { Context } from './context.ts'

/** RFC 8693 section 2.1. */
export const tokenExchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange'

/** Where everything is, below the issuer's path. */
export const endpointPaths = {
  authorize: '/oauth/authorize',
  token: '/oauth/token',
  revoke: '/oauth/revoke',
  introspect: '/oauth/introspect',
  jwks: '/.well-known/jwks.json',
  signIn: '/auth/sign-in',
  signOut: '/auth/sign-out',
  status: '/auth/status',
  revocations: '/revocations',
  revocationStream: '/revocations/stream',
  revocationJwks: '/revocations/jwks.json',
  acknowledge: '/consumers/ack',
  foreignEvents: (name: string): string => `/issuers/${name}/events`,
} as const

/** RFC 8414 section 2: only what exists. `response_types_supported` is required, and empty without a code flow. */
export function metadata(context: Context): Readonly<Record<string, unknown>> {
  const { issuer, resources } = context
  const scopes = new Set([...resources.values()].flatMap((resource) => [...resource.scopes]))
  const methods = ['client_secret_basic', 'client_secret_post', 'private_key_jwt']
  const algorithms = ['EdDSA', 'Ed25519']
  return {
    issuer,
    authorization_endpoint: issuer + endpointPaths.authorize,
    token_endpoint: issuer + endpointPaths.token,
    jwks_uri: issuer + endpointPaths.jwks,
    revocation_endpoint: issuer + endpointPaths.revoke,
    introspection_endpoint: issuer + endpointPaths.introspect,
    response_types_supported: [],
    grant_types_supported: ['client_credentials', 'refresh_token', tokenExchangeGrant],
    token_endpoint_auth_methods_supported: [...methods, 'none'],
    token_endpoint_auth_signing_alg_values_supported: algorithms,
    revocation_endpoint_auth_methods_supported: [...methods, 'none'],
    revocation_endpoint_auth_signing_alg_values_supported: algorithms,
    introspection_endpoint_auth_methods_supported: methods,
    introspection_endpoint_auth_signing_alg_values_supported: algorithms,
    scopes_supported: [...scopes].sort(),
    countersign_sign_in_endpoint: issuer + endpointPaths.signIn,
    countersign_sign_out_endpoint: issuer + endpointPaths.signOut,
    countersign_status_endpoint: issuer + endpointPaths.status,
    ...(context.feedRing === undefined
      ? undefined
      : { countersign_revocations_uri: issuer + endpointPaths.revocations }),
  }
}
