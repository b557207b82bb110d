import type { Profile } from '../profile.ts'

/**
 * Access tokens of Auth0 for an API of your own, in either dialect. Relaxed: RS256; `typ` may be `JWT` (the dialect
 * `access_token`); `aud` may be an array, when the user-info endpoint is an audience too; the client may stand in `azp`;
 * `jti` and `scope` may be missing. ID tokens are told apart by `nonce`, `at_hash` and `c_hash`, and by their audience.
 */
export const auth0: Profile = Object.freeze<Profile>({
  name: 'auth0',
  algorithms: ['RS256'],
  types: ['at+jwt', 'jwt'],
  audience: 'aud-or-list',
  clientId: ['client_id', 'azp'],
  optional: ['jti', 'scope'],
  required: {},
  forbidden: ['nonce', 'at_hash', 'c_hash', 'events'],
  organization: ['org_id'],
})
