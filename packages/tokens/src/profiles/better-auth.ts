import type { Profile } from '../profile.ts'

/**
 * Tokens of better-auth's `jwt` plugin. Relaxed: there is no `typ`; no client; `jti` and `scope` may be missing. Its
 * issuer and its audience are the server's base URL unless the plugin is told otherwise.
 */
export const betterAuth: Profile = Object.freeze<Profile>({
  name: 'betterAuth',
  algorithms: ['EdDSA', 'ES256', 'RS256'],
  types: ['', 'jwt', 'at+jwt'],
  audience: 'aud',
  clientId: ['client_id', 'azp', ''],
  optional: ['jti', 'scope'],
  required: {},
  forbidden: ['nonce', 'at_hash', 'c_hash', 'events'],
  organization: [],
})
