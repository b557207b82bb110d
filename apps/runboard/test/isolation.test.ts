import { type IsolationWorld, proveIsolation } from '@countersign/clerk-convex/testing'
import { mutationGeneric } from 'convex/server'
import { v } from 'convex/values'
import { expect, it, vi } from 'vitest'
import { modules, type Seeded, schema, seed } from './world.ts'

// Denied queries are lines of the log, and these are many.
vi.spyOn(console, 'warn').mockReturnValue()

const who = (subject: string, organization: string) => ({
  subject,
  issuer: process.env.CLERK_ISSUER ?? '',
  o: { id: organization },
  fva: [0, -1],
  iat: Math.floor(Date.now() / 1_000),
})

const world: IsolationWorld<Seeded, (typeof schema)['tables']> = {
  schema,
  seed,
  rightful: who('ada', 'org_a'),
  personas: {
    foreignOrganization: who('bob', 'org_b'),
    // An admin of the organisation whom nobody has let into the private workspace.
    foreignWorkspace: who('out', 'org_a'),
    missingRole: who('vic', 'org_a'),
  },
  hidden: (persona, { workspaceId, workspace, orgId, organization }) =>
    persona === 'foreignWorkspace' ? (workspaceId ?? workspace) === 'ws_hidden' : (orgId ?? organization) === 'org_a',
  args: {
    'approvals:approve': ({ hidden }) => ({ id: hidden.approval }),
    'approvals:list': ({ hidden }) => ({ workspaceId: hidden.workspaceId }),
    'approvals:reject': ({ hidden }) => ({ id: hidden.approval }),
    'audit:list': () => ({}),
    'people:me': () => ({}),
    'repositories:connect': ({ hidden }) => ({ workspaceId: hidden.workspaceId, name: 'web', isProtected: true }),
    'repositories:disconnect': ({ hidden }) => ({ id: hidden.repository }),
    'repositories:list': ({ hidden }) => ({ workspaceId: hidden.workspaceId }),
    'runners:approve': ({ code, hidden }) => ({ code, workspace: hidden.workspaceId }),
    'runners:deny': ({ code }) => ({ code }),
    'runners:endTokens': ({ runner }) => ({ runner }),
    'runners:list': ({ hidden }) => ({ workspace: hidden.workspaceId }),
    'runners:lookUp': ({ code }) => ({ code }),
    'runners:revoke': ({ runner }) => ({ runner }),
    'runs:lines': ({ hidden }) => ({ workspaceId: hidden.workspaceId, run: hidden.running }),
    'runs:list': ({ hidden }) => ({ workspaceId: hidden.workspaceId }),
    'runs:start': ({ hidden }) => ({ workspaceId: hidden.workspaceId, repository: hidden.repository, task: 'ls' }),
    'runs:stop': ({ hidden }) => ({ id: hidden.running }),
    'workspaces:admit': ({ hidden }) => ({ workspaceId: hidden.workspaceId, user: 'out' }),
    'workspaces:create': () => ({ name: 'new', isPrivate: true }),
    'workspaces:list': () => ({}),
  },
  requests: { 'GET /auth/user': () => ({}) },
  open: [
    // Asked to learn whether anybody is signed in; signed by Clerk.
    ...['GET /auth/status', 'OPTIONS /auth/status', 'OPTIONS /auth/user', 'POST /auth/webhook'],
    // For keys, not for people: runner.test.ts holds them against strangers.
    ...['POST /runner/*', 'POST /jobs/whoami', 'POST /jobs/take', 'POST /jobs/report', 'POST /jobs/finish'],
  ],
}

it('lets nobody into what is not theirs, function by function', async () => {
  const { failures, functions, calls } = await proveIsolation(modules, world)
  expect(failures).toEqual([])
  expect(functions).toEqual(expect.arrayContaining(Object.keys(world.args)))
  expect(calls).toBeGreaterThanOrEqual(Object.keys(world.args).length * 5)
})

it('fails for a function that was written past it', async () => {
  const escaped = mutationGeneric({ args: { id: v.id('runs') }, handler: (ctx, { id }) => ctx.db.delete(id) })
  const hole = {
    '../src/convex/_generated/api.js': async () => ({}),
    '../src/convex/hole.ts': async () => ({ escaped }),
  }
  const { failures } = await proveIsolation(hole, { ...world, args: {}, requests: {}, open: [] })
  expect(failures).toEqual([
    { function: 'hole:escaped', persona: 'definition', fault: 'was not made by defineAuth, and is not listed as open' },
    { function: 'hole:escaped', persona: 'definition', fault: 'has no arguments to be proved with' },
  ])
})
