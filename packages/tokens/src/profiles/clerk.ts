import type { Profile } from '../profile.ts'

/**
 * Session tokens of Clerk. Relaxed: RS256; `typ` is `JWT`; there is no `aud`, so the verifier's audience is the origin
 * that the token was made for and is compared with `azp`, which must be there; no client, no `scope`, and `jti` may be
 * missing. The organization is `o.id` (version 2 of the claims). A session that still has tasks (`sts: 'pending'`) is
 * not signed in: its token is refused.
 */
export const clerk: Profile = Object.freeze<Profile>({
  name: 'clerk',
  algorithms: ['RS256'],
  types: ['jwt'],
  audience: 'azp',
  clientId: [''],
  optional: ['jti', 'scope'],
  required: {},
  refused: { sts: 'pending' },
  forbidden: ['nonce', 'at_hash', 'c_hash', 'events'],
  organization: ['o', 'id'],
})
