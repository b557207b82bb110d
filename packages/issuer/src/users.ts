import type { Context } from './context.ts'
import { IssuerError } from './errors.ts'
import { normaliseIdentifier } from './identifier.ts'
import { pageLimit } from './page.ts'
import type { AuditActor, UserRecord } from './ports.ts'
import { newId } from './random.ts'
import { revoking } from './revoking.ts'
import type { Requested, UserInfo, Users } from './types.ts'

export function createUsers(context: Context): Users {
  const { users } = context.stores

  async function known(identifier: string): Promise<UserRecord> {
    const normal = normaliseIdentifier(identifier)
    const user = normal === undefined ? undefined : await users.byIdentifier(normal)
    if (user === undefined) throw new IssuerError('unknown_user', 'There is no user by that identifier.')
    return user
  }

  const actorOf = (requested: Requested | undefined): AuditActor => requested?.actor ?? { type: 'operator' }

  return {
    async add({ identifier, password, synthetic, scopes, ...requested }) {
      const normal = normaliseIdentifier(identifier)
      if (normal === undefined) {
        throw new IssuerError(
          'invalid_name',
          'An identifier has 1 to 254 characters, without spaces or invisible ones.',
        )
      }
      const taken = new IssuerError('name_taken', 'A user by that identifier exists.')
      if ((await users.byIdentifier(normal)) !== undefined) throw taken
      const user: UserRecord = {
        id: `user_${newId()}`,
        identifier: normal,
        passwordHash: await context.passwords.hash(password),
        generation: 0,
        synthetic: synthetic ?? false,
        scopes: checkScopes(context, scopes ?? null),
        createdAt: context.now(),
        disabledAt: null,
      }
      await context.audit({
        action: 'user.add',
        outcome: 'allowed',
        actor: actorOf(requested),
        target: { type: 'user', id: user.id },
      })
      if (!(await users.add(user))) throw taken
      context.emit({ type: 'user_changed', action: 'added', userId: user.id })
      return info(user)
    },
    async list(page = {}) {
      const limit = pageLimit(page.limit)
      return (await users.list(page.after === undefined ? { limit } : { after: page.after, limit })).map(info)
    },
    async disable(identifier, requested) {
      const user = await known(identifier)
      const before = new IssuerError('already_disabled', 'The user is disabled already.')
      if (user.disabledAt !== null) throw before
      if (!(await revoking(context, { type: 'user', user, because: 'disabled' }, actorOf(requested)))) throw before
    },
    async setPassword(identifier, password, requested) {
      const user = await known(identifier)
      const passwordHash = await context.passwords.hash(password)
      await revoking(context, { type: 'user', user, because: 'password_set', passwordHash }, actorOf(requested))
    },
    async setScopes(identifier, wanted, requested) {
      const scopes = checkScopes(context, wanted)
      const user = await known(identifier)
      await revoking(context, { type: 'user', user, because: 'scopes_set', scopes }, actorOf(requested))
    },
  }
}

/** Each once, in the order given. @throws IssuerError `invalid_option` */
function checkScopes({ resources }: Context, scopes: readonly string[] | null): readonly string[] | null {
  if (scopes === null) return null
  for (const scope of scopes) {
    const known = [...resources.values()].some((resource) => resource.scopes.has(scope))
    if (!known) throw new IssuerError('invalid_option', `No consumer has the scope ${JSON.stringify(scope)}.`)
  }
  return [...new Set(scopes)]
}

function info({ id, identifier, synthetic, scopes, createdAt, disabledAt }: UserRecord): UserInfo {
  return { id, identifier, synthetic, scopes, createdAt, disabledAt }
}
