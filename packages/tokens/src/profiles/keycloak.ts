import type { Profile } from '../profile.ts'

/**
 * Access tokens of Keycloak. Relaxed: RS256, ES256 and EdDSA, whichever the realm uses; the header's `typ` is `JWT`, the
 * kind stands in the payload's `typ`, which must be `Bearer` (it is `ID`, `Refresh` or `Logout` otherwise); `aud` may be
 * an array; the client stands in `azp`; `scope` may be missing.
 */
export const keycloak: Profile = Object.freeze<Profile>({
  name: 'keycloak',
  algorithms: ['RS256', 'ES256', 'EdDSA'],
  types: ['at+jwt', 'jwt'],
  audience: 'aud-or-list',
  clientId: ['client_id', 'azp'],
  optional: ['scope'],
  required: { typ: 'Bearer' },
  forbidden: ['nonce', 'at_hash', 'c_hash', 'events'],
  organization: [],
})
