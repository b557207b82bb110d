import { admitUser, readCaller } from './admission.ts'
import { authReader, type RawQueryContext } from './contexts.ts'
import type { Setting } from './options.ts'
import type { CurrentUser } from './routes.ts'

/** Most organisations that are listed. */
const mostOrganizations = 100

/** The caller as our tables have them, or nobody. */
export async function whoAmI(ctx: RawQueryContext, setting: Setting): Promise<CurrentUser | null> {
  const db = authReader(ctx.db)
  const outcome = await admitUser(ctx.auth, db, setting)
  const caller = await readCaller(ctx.auth)
  if (!('principal' in outcome) || typeof caller === 'string') return null
  const { user } = outcome.principal
  const provider = caller.claims.issuer === setting.clerkIssuer ? 'clerk' : 'legacy'
  const memberships = await db
    .query('authMemberships')
    .withIndex('by_user', (q) => q.eq('user', user))
    .take(mostOrganizations)
  const organizations: CurrentUser['organizations'][number][] = []
  for (const { organization, role, state } of memberships) {
    const row = await db
      .query('authOrganizations')
      .withIndex('by_organization', (q) => q.eq('organization', organization))
      .unique()
    if (state === 'removed' || row?.state === 'deleted') continue
    const { name, slug } = row ?? {}
    const said = { ...(name === undefined ? {} : { name }), ...(slug === undefined ? {} : { slug }) }
    organizations.push({ organization, role, ...said })
  }
  const chosen = organizations.find(({ organization }) => organization === caller.claims.organization?.id)
  if (chosen === undefined) return { user, provider, permissions: [], organizations }
  const permissions = [...(setting.roles.get(chosen.role) ?? [])]
  return { user, provider, organization: chosen.organization, role: chosen.role, permissions, organizations }
}
