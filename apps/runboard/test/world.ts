import type { DataModelFromSchemaDefinition } from 'convex/server'
import type { TestConvexForDataModel } from 'convex-test'
import schema from '../src/convex/schema.ts'

declare global {
  interface ImportMeta {
    glob(pattern: string): Record<string, () => Promise<Record<string, unknown>>>
  }
}

/** As a deployment's settings are, before its modules are loaded. */
Object.assign(process.env, {
  CLERK_ISSUER: 'http://127.0.0.1:4',
  CLERK_JWKS: 'discover',
  CLERK_WEBHOOK_SIGNING_SECRET: `whsec_${btoa('a secret of the tests, 32 bytes.')}`,
  RUNBOARD_ORIGIN: 'http://127.0.0.1:5',
})

export const modules = import.meta.glob('../src/convex/**/*.{ts,js}')
export type Model = DataModelFromSchemaDefinition<typeof schema>
export type Caller = TestConvexForDataModel<Model>
export { schema }

type Role = 'admin' | 'member' | 'viewer'

/** Two organisations, an open and a private workspace in one of them, people of every sort, and one of everything. */
export function seed(t: Caller) {
  return t.run(async ({ db }) => {
    const member = (organization: string, user: string, role: Role) =>
      db.insert('authMemberships', { organization, user, role, state: 'active', changedAt: 1 })
    await member('org_a', 'ada', 'admin')
    await member('org_a', 'mia', 'member')
    await member('org_a', 'vic', 'viewer')
    await member('org_a', 'out', 'admin')
    await member('org_b', 'bob', 'admin')
    const workspace = async (orgId: string, workspaceId: string, isPrivate: boolean, users: readonly string[]) => {
      const visibility = isPrivate ? 'private' : 'organization'
      await db.insert('authWorkspaces', { organization: orgId, workspace: workspaceId, visibility })
      for (const user of users) {
        await db.insert('authWorkspaceMembers', { organization: orgId, workspace: workspaceId, user })
      }
      const here = { orgId, workspaceId }
      const project = await db.insert('projects', { ...here, name: `project of ${workspaceId}`, isPrivate })
      await db.insert('workspaces', { orgId, project })
      const run = (state: 'waiting' | 'running') =>
        db.insert('runs', { ...here, repository: 'api', task: 'npm test', state, startedBy: 'ada' })
      const [running, waiting] = [await run('running'), await run('waiting')]
      await db.insert('lines', { ...here, run: running, text: `a line of ${workspaceId}` })
      return {
        workspaceId,
        repository: await db.insert('repositories', { ...here, name: 'api', isProtected: false }),
        running,
        waiting,
        approval: await db.insert('approvals', { ...here, run: waiting, state: 'pending' }),
      }
    }
    const thumbprint = 'k'.repeat(43)
    const scopes = ['run:execute']
    const now = Math.floor(Date.now() / 1_000)
    await db.insert('authRunnerPairings', {
      ...{ deviceCodeHash: 'hash', userCode: 'BCDFGHJK', thumbprint: 'n'.repeat(43), name: 'new', scopes },
      ...{ state: 'pending', startedAt: now, expiresAt: now + 600, intervalSeconds: 2 },
    })
    const runner = { runner: 'runner_1', name: 'one', organization: 'org_a', workspace: 'ws_hidden', owner: 'ada' }
    await db.insert('authRunners', { ...runner, thumbprint, scopes, epoch: 1, revoked: false, pairedAt: now })
    return {
      code: 'BCDF-GHJK',
      runner: runner.runner,
      open: await workspace('org_a', 'ws_open', false, []),
      hidden: await workspace('org_a', 'ws_hidden', true, ['ada', 'mia', 'vic']),
      foreign: await workspace('org_b', 'ws_b', false, []),
    }
  })
}

export type Seeded = Awaited<ReturnType<typeof seed>>
