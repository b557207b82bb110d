import type { DataModelFromSchemaDefinition } from 'convex/server'
import { convexTest, type TestConvexForDataModel } from 'convex-test'
import { issuer, told } from './convex/auth.ts'
import schema from './convex/schema.ts'

declare global {
  interface ImportMeta {
    glob(pattern: string): Record<string, () => Promise<Record<string, unknown>>>
  }
}

export const modules = import.meta.glob('./convex/**/*.ts')
export type Model = DataModelFromSchemaDefinition<typeof schema>
export type Caller = TestConvexForDataModel<Model>

/** Two organisations, three workspaces, and people of every sort. */
export function seedWorld(t: Caller) {
  const member = (organization: string, user: string, role: string, state: 'active' | 'removed' = 'active') =>
    ({ organization, user, role, state, changedAt: 1 }) as const
  return t.run(async (ctx) => {
    for (const one of [
      member('org_a', 'ada', 'admin'),
      member('org_a', 'mia', 'member'),
      member('org_a', 'guest', 'guest'),
      member('org_a', 'rex', 'admin', 'removed'),
      member('org_a', 'out', 'admin'),
      member('org_b', 'bob', 'admin'),
    ]) {
      await ctx.db.insert('authMemberships', one)
    }
    const workspace = (organization: string, name: string, visibility: 'organization' | 'private') =>
      ctx.db.insert('authWorkspaces', { organization, workspace: name, visibility })
    await workspace('org_a', 'open_a', 'organization')
    await workspace('org_a', 'private_a', 'private')
    await workspace('org_b', 'open_b', 'organization')
    for (const user of ['ada', 'mia', 'guest']) {
      await ctx.db.insert('authWorkspaceMembers', { organization: 'org_a', workspace: 'private_a', user })
    }
    const run = (orgId: string, workspaceId: string) => ctx.db.insert('runs', { orgId, workspaceId, state: 'running' })
    return {
      projectA: await ctx.db.insert('projects', { orgId: 'org_a', name: 'alpha', budget: 10 }),
      projectB: await ctx.db.insert('projects', { orgId: 'org_b', name: 'beta', budget: 20 }),
      openRunA: await run('org_a', 'open_a'),
      privateRunA: await run('org_a', 'private_a'),
      runB: await run('org_b', 'open_b'),
      draft: await ctx.db.insert('drafts', { owner: 'ada', text: 'mine' }),
      secret: await ctx.db.insert('secrets', { value: 'nobody reads this' }),
    }
  })
}

export async function createWorld(options: { readonly limits?: boolean } = {}) {
  told.length = 0
  const t = convexTest({ schema, modules, transactionLimits: options.limits ?? false })
  const ids = await seedWorld(t)
  const as = (
    subject: string,
    organization?: string,
    more: Readonly<Record<string, string | number | number[]>> = {},
  ) => t.withIdentity({ subject, issuer, ...(organization === undefined ? {} : { o: { id: organization } }), ...more })
  return { t, ids, as, audit: () => t.run((ctx) => ctx.db.query('authAudit').collect()) }
}
