import type { Context } from './context.ts'
import { IssuerError } from './errors.ts'
import { normaliseIdentifier } from './identifier.ts'
import { pageLimit } from './page.ts'
import { isReason } from './reason.ts'
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
    byId: (id) => sessions.byId(id),
    async revoke(id, { actor, reason: why } = {}) {
      if (why !== undefined && !isReason(why)) {
        throw new IssuerError('invalid_option', 'reason: expected 1 to 256 printable characters')
      }
      const session = await sessions.byId(id)
      if (session === undefined || session.endedAt !== null) return false
      const said = why === undefined ? {} : { why }
      const ended = { type: 'session', session, reason: 'revoked', ...said } as const
      return revoking(context, ended, actor ?? { type: 'operator' })
    },
  }
}
