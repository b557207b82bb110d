import { mutationGeneric, queryGeneric } from 'convex/server'
import { v } from 'convex/values'
import { describe, expect, it } from 'vitest'
import { proveIsolation } from '../src/testing/index.ts'
import { auth } from './convex/auth.ts'
import { modules } from './convex-world.ts'
import { type ProvenWorld, type Seeded, who, world } from './isolation-world.ts'

const generated = { './convex/_generated/api.ts': async () => ({}) }

describe('every public function', () => {
  it('is held against nobody, a foreign organisation, a foreign workspace and a missing role', async () => {
    const report = await proveIsolation(modules, world)
    expect(report.failures).toEqual([])
    expect(report.functions).toHaveLength(24 + 3)
    // Each as five callers, and as the two foreign ones where the hidden rows are not there.
    expect(report.calls).toBeGreaterThan(24 * 7)
  })
})

describe('the proof', () => {
  const holes: [what: string, hole: object, faults: RegExp][] = [
    [
      'a raw query that lists everything',
      queryGeneric({ args: {}, handler: (ctx) => ctx.db.query('projects').collect() }),
      /definition: was not made by defineAuth.*nobody: is answered.*foreignOrganization: hands out projects/,
    ],
    [
      'the raw database behind a check of the caller',
      auth.orgMutation({
        args: { id: v.id('projects') },
        handler: async (ctx, { id }) => (await ctx.unsafeDb('patches by any id')).patch(id, { budget: 0 }),
      }),
      /^foreignOrganization: changed projects/,
    ],
    [
      'a workspace that is not asked for',
      auth.orgQuery({
        args: { id: v.id('projects') },
        handler: async (ctx) => {
          const db = await ctx.unsafeDb('lists all runs of the organisation')
          return db
            .query('runs')
            .withIndex('by_org', (q) => q.eq('orgId', ctx.principal.organization))
            .collect()
        },
      }),
      /^foreignWorkspace: hands out runs/,
    ],
    [
      'a raw mutation that makes rows',
      mutationGeneric({
        args: { id: v.id('projects') },
        handler: (ctx) => ctx.db.insert('projects', { orgId: 'org_a', name: 'x', budget: 0 }),
      }),
      /nobody: is answered.*foreignOrganization: changed projects/,
    ],
    [
      'a query that is open and not said to be',
      auth.publicQuery({ args: { id: v.id('projects') }, handler: () => 'hello' }),
      /^definition: is open to anybody.*nobody: is answered/,
    ],
  ]
  it.each(holes)('finds %s', async (_what, hole, faults) => {
    const { projectA: args } = { projectA: ({ projectA }: Seeded) => ({ id: projectA }) }
    const one: ProvenWorld = {
      ...world,
      open: [],
      requests: {},
      args: { 'hole:hole': _what.includes('lists everything') ? () => ({}) : args },
    }
    const { failures } = await proveIsolation({ ...generated, './convex/hole.ts': async () => ({ hole }) }, one)
    expect(failures.map(({ persona, fault }) => `${persona}: ${fault}`).join('; ')).toMatch(faults)
  })

  it('fails for a function that it was not told of, and for one that is gone', async () => {
    const { 'runs:stop': _left, ...left } = world.args
    const without = { ...left, 'projects:gone': () => ({}) }
    const { failures } = await proveIsolation(modules, { ...world, args: without })
    expect(failures).toEqual([
      { function: 'runs:stop', persona: 'definition', fault: 'has no arguments to be proved with' },
      { function: 'projects:gone', persona: 'definition', fault: 'is described, and is not there' },
    ])
  })

  it('fails when the rightful caller is denied, since it would then show nothing', async () => {
    const { failures } = await proveIsolation(modules, { ...world, rightful: who('rex', 'org_a') })
    expect(failures.filter(({ persona }) => persona === 'rightful').length).toBeGreaterThan(15)
  })
})
