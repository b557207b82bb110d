import type { Profile } from '../profile.ts'

/**
 * JWT access tokens of oidc-provider (`accessTokenFormat: 'jwt'`). They follow RFC 9068; relaxed: the algorithm is the
 * resource server's choice, and `scope` is missing when none was granted.
 */
export const oidcProvider: Profile = Object.freeze<Profile>({
  name: 'oidcProvider',
  algorithms: ['EdDSA', 'Ed25519', 'ES256', 'RS256', 'PS256'],
  types: ['at+jwt'],
  audience: 'aud',
  clientId: ['client_id'],
  optional: ['scope'],
  required: {},
  forbidden: [],
  organization: [],
})
