import { expect, it } from 'vitest'
import { type IsolationWorld, proveIsolation } from '../src/testing/index.ts'
import { place } from './convex-runners/auth.ts'
import schema from './convex-runners/schema.ts'

const modules = import.meta.glob('./convex-runners/**/*.ts')

const who = (subject: string, organization: string) => ({
  subject,
  issuer: place.clerkIssuer,
  o: { id: organization },
  fva: [0, -1],
})

const runner = (organization: string, workspace: string) => ({
  runner: `runner_of_${workspace}`,
  name: 'builder',
  organization,
  workspace,
  owner: 'ada',
  thumbprint: `key_of_${workspace}`,
  scopes: ['job:run'],
  epoch: 1,
  revoked: false,
  pairedAt: 1,
})

const world: IsolationWorld<null, (typeof schema)['tables']> = {
  schema,
  seed: async (t) => {
    await t.run(async (ctx) => {
      const member = (organization: string, user: string, role: string) =>
        ctx.db.insert('authMemberships', { organization, user, role, state: 'active', changedAt: 1 })
      for (const user of ['ada', 'out']) await member('org_a', user, 'admin')
      await member('org_a', 'mia', 'member')
      await member('org_b', 'bob', 'admin')
      await ctx.db.insert('authWorkspaces', { organization: 'org_a', workspace: 'private_a', visibility: 'private' })
      await ctx.db.insert('authWorkspaces', { organization: 'org_b', workspace: 'open_b', visibility: 'organization' })
      for (const user of ['ada', 'mia']) {
        await ctx.db.insert('authWorkspaceMembers', { organization: 'org_a', workspace: 'private_a', user })
      }
      await ctx.db.insert('authRunners', runner('org_a', 'private_a'))
      await ctx.db.insert('authRunners', runner('org_b', 'open_b'))
      const now = place.now()
      await ctx.db.insert('authRunnerPairings', {
        deviceCodeHash: 'hash',
        userCode: 'BCDFGHJK',
        thumbprint: 'key_of_nobody',
        name: 'next',
        scopes: ['job:run'],
        state: 'pending',
        startedAt: now,
        expiresAt: now + 600,
        intervalSeconds: 5,
      })
    })
    return null
  },
  rightful: who('ada', 'org_a'),
  personas: {
    foreignOrganization: who('bob', 'org_b'),
    foreignWorkspace: who('out', 'org_a'),
    missingRole: who('mia', 'org_a'),
  },
  hidden: (_persona, row, table) => table === 'authRunners' && row.workspace === 'private_a',
  args: {
    'runners:approve': () => ({ code: 'BCDF-GHJK', workspace: 'private_a' }),
    'runners:deny': () => ({ code: 'BCDF-GHJK' }),
    'runners:endTokens': () => ({ runner: 'runner_of_private_a' }),
    'runners:list': () => ({ workspace: 'private_a' }),
    'runners:lookUp': () => ({ code: 'BCDF-GHJK' }),
    'runners:revoke': () => ({ runner: 'runner_of_private_a' }),
  },
  // What lets runners in is no identity of Convex's: `convex-runner-refused.test.ts` holds these against every refusal.
  open: [
    'POST /runner/*',
    'GET /broken',
    'GET /jobs',
    'GET /jobs/elsewhere',
    'GET /jobs/forged',
    'GET /whoami',
    'POST /jobs',
    'POST /jobs/act',
    'POST /jobs/ended',
    'POST /jobs/later',
    'POST /jobs/sly',
    'POST /jobs/take',
    'POST /notes',
    'POST /repo',
  ],
  // Somebody whose code it is answers it in any organisation: until then a pairing is nobody's.
  ignoredTables: ['authAudit', 'authRunnerWrongCodes'],
}

it('holds every public function about runners', async () => {
  const report = await proveIsolation(modules, world)
  expect(report.failures).toEqual([])
  expect(report.functions.filter((name) => name.startsWith('runners:'))).toHaveLength(6)
})
