import type { IsolationWorld } from '../src/testing/index.ts'
import { issuer } from './convex/auth.ts'
import schema from './convex/schema.ts'
import { type Caller, seedWorld } from './convex-world.ts'

export const who = (subject: string, organization: string) => ({
  subject,
  issuer,
  o: { id: organization },
  fva: [0, -1],
  iat: Math.floor(Date.now() / 1_000),
})

export type Seeded = Awaited<ReturnType<typeof seedWorld>>

export type ProvenWorld = IsolationWorld<Seeded, (typeof schema)['tables']>

export const world: ProvenWorld = {
  schema,
  seed: (t: Caller) => seedWorld(t),
  rightful: who('ada', 'org_a'),
  personas: {
    foreignOrganization: who('bob', 'org_b'),
    foreignWorkspace: who('out', 'org_a'),
    missingRole: who('guest', 'org_a'),
  },
  hidden: (persona, row) =>
    persona === 'foreignWorkspace'
      ? row.workspaceId === 'private_a' || row.owner === 'ada'
      : row.orgId === 'org_a' || row.owner === 'ada',
  args: {
    'people:draft': () => ({ text: 'x' }),
    'people:drafts': () => ({}),
    'people:erase': ({ draft }) => ({ id: draft }),
    'people:greet': () => ({}),
    'projects:byName': () => ({ name: 'alpha' }),
    'projects:create': () => ({ name: 'x' }),
    'projects:list': () => ({}),
    'projects:listCounted': () => ({}),
    'projects:overwrite': ({ projectA }) => ({ id: projectA, name: 'x' }),
    'projects:page': () => ({ paginationOpts: { numItems: 5, cursor: null } }),
    'projects:pageCounted': () => ({ most: 5 }),
    'projects:read': ({ projectA }) => ({ id: projectA }),
    'projects:remove': ({ projectA }) => ({ id: projectA }),
    'projects:rename': ({ projectA }) => ({ id: projectA, name: 'x' }),
    'projects:renameAction': ({ projectA }) => ({ id: projectA, name: 'x' }),
    'projects:renameLater': ({ projectA }) => ({ id: projectA, name: 'x' }),
    'runs:inState': () => ({ workspaceId: 'private_a', state: 'running' }),
    'runs:list': () => ({ workspaceId: 'private_a' }),
    'runs:move': ({ privateRunA }) => ({ id: privateRunA, workspaceId: 'private_a' }),
    'runs:read': ({ privateRunA }) => ({ id: privateRunA }),
    'runs:start': () => ({ workspaceId: 'private_a' }),
    'runs:stop': ({ privateRunA }) => ({ id: privateRunA }),
    'runs:stopTwo': ({ openRunA, privateRunA }) => ({ first: openRunA, second: privateRunA }),
  },
  requests: { 'GET /auth/user': () => ({}) },
  open: ['people:version', 'GET /auth/status', 'POST /auth/webhook'],
}
