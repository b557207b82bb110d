import type { Context } from './context.ts'
import { IssuerError } from './errors.ts'
import { normaliseIdentifier } from './identifier.ts'
import { pageLimit } from './page.ts'
import { revoking } from './revoking.ts'
import type { Sessions } from './types.ts'

export function createSessions(context: Context): Sessions {
  const { users, sessions } = context.stores
  return {
    async list(identifier, page = {}) {
      const normal = normaliseIdentifier(identifier)
      const user = normal === undefined ? undefined : await users.byIdentifier(normal)
      if (user === undefined) throw new IssuerError('unknown_user', 'There is no user by that identifier.')
      return sessions.ofUser(user.id, { limit: pageLimit(page.limit) })
    },
    async revoke(id, requested) {
      const session = await sessions.byId(id)
      if (session === undefined || session.endedAt !== null) return false
      const actor = requested?.actor ?? { type: 'operator' }
      return revoking(context, { type: 'session', session, reason: 'revoked' }, actor)
    },
  }
}
