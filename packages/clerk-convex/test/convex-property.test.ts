import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { api } from './convex/_generated/api.ts'
import { createWorld } from './convex-world.ts'

const calls = 10_000
/** The stand-in for a database walks over every row at every call: a new world now and then keeps it small. */
const callsOfOneWorld = 200
const names = ['alpha', 'beta', 'gamma']
const states = ['running', 'stopped']
const workspaces = ['open_a', 'private_a', 'open_b', 'no_such']
const people = [
  { user: 'ada', organization: 'org_a' },
  { user: 'out', organization: 'org_a' },
  { user: 'bob', organization: 'org_b' },
  // Their tokens say an organisation that they are not of.
  { user: 'bob', organization: 'org_a' },
  { user: 'ada', organization: 'org_b' },
] as const

const call = fc.record({
  who: fc.nat({ max: people.length - 1 }),
  what: fc.nat({ max: 9 }),
  target: fc.nat(),
  name: fc.constantFrom(...names),
  workspace: fc.constantFrom(...workspaces),
  state: fc.constantFrom(...states),
})
type Call = typeof call extends fc.Arbitrary<infer Value> ? Value : never

/** Every row of a tenant's tables, by id. */
interface Row {
  readonly _id: string
  readonly orgId: string
  readonly workspaceId?: string
}

describe('ten thousand random calls over two tenants', () => {
  it('hand out, change and read no row of another', { timeout: 120_000 }, async () => {
    let { t, as } = await createWorld()
    const snapshot = async () => {
      const { projects, runs } = await t.run(async (ctx) => ({
        projects: await ctx.db.query('projects').collect(),
        runs: await ctx.db.query('runs').collect(),
      }))
      return { projects, runs, all: new Map<string, Row>([...projects, ...runs].map((row) => [row._id, row])) }
    }
    let world = await snapshot()
    const counted = { handedOut: 0, foreign: 0, changed: 0, denied: 0, audited: 0 }

    const run = async ({ who, what, target, name, workspace, state }: Call): Promise<unknown> => {
      const { user, organization } = people[who] ?? people[0]
      const caller = as(user, organization, { fva: [0, -1], iat: Math.floor(Date.now() / 1_000) })
      const project = world.projects[target % world.projects.length]?._id
      const aRun = world.runs[target % world.runs.length]?._id
      if (project === undefined || aRun === undefined) throw new Error('The world has become empty.')
      const choices: (() => Promise<unknown>)[] = [
        () => caller.query(api.projects.list, {}),
        () => caller.query(api.projects.byName, { name }),
        () => caller.query(api.projects.page, { paginationOpts: { numItems: 5, cursor: null } }),
        () => caller.query(api.projects.read, { id: project }),
        () => caller.query(api.runs.inState, { workspaceId: workspace, state }),
        () => caller.query(api.runs.read, { id: aRun }),
        () => caller.mutation(api.projects.rename, { id: project, name }),
        () => caller.mutation(api.projects.overwrite, { id: project, name }),
        () => caller.mutation(api.runs.stop, { id: aRun }),
        () => caller.mutation(api.runs.move, { id: aRun, workspaceId: workspace }),
      ]
      return choices[what]?.().catch((error: unknown) => {
        counted.denied++
        return String(error)
      })
    }

    const check = async (one: Call, index: number): Promise<void> => {
      const { user, organization } = people[one.who] ?? people[0]
      const isMember = !(user === 'bob' && organization === 'org_a') && !(user === 'ada' && organization === 'org_b')
      const hides = ({ orgId, workspaceId }: Row): boolean =>
        !isMember || orgId !== organization || (workspaceId === 'private_a' && user === 'out')
      const result = JSON.stringify(await run(one)) ?? ''
      for (const [id, row] of world.all) {
        if (!result.includes(`"${id}"`)) continue
        counted.handedOut++
        if (hides(row)) counted.foreign++
      }
      // What writes is looked at once it has written.
      if (one.what < 6) return
      const before = world
      world = await snapshot()
      for (const [id, row] of world.all) {
        const old = before.all.get(id)
        if (old === undefined || JSON.stringify(old) === JSON.stringify(row)) continue
        counted.changed++
        if (hides(old) || row.orgId !== old.orgId) counted.foreign++
      }
      if (world.all.size !== before.all.size) throw new Error(`Call ${index} made or removed a row.`)
    }

    const generated = fc.sample(call, { numRuns: calls, seed: 4 })
    for (const [index, one] of generated.entries()) {
      await check(one, index)
      if ((index + 1) % callsOfOneWorld !== 0) continue
      counted.audited += await t.run(async (ctx) => (await ctx.db.query('authAudit').collect()).length)
      ;({ t, as } = await createWorld())
      world = await snapshot()
    }

    expect(counted.foreign).toBe(0)
    expect(counted.handedOut).toBeGreaterThan(1_000)
    expect(counted.changed).toBeGreaterThan(100)
    expect(counted.denied).toBeGreaterThan(1_000)
    // Every write asks for a permission, so each is one row, whatever became of it.
    expect(counted.audited).toBe(generated.filter(({ what }) => what >= 6).length)
  })

  it('read as many documents as they hand out, however many others there are', async () => {
    const { t, as } = await createWorld({ limits: true })
    await t.run(async (ctx) => {
      for (let at = 0; at < 3_000; at++) await ctx.db.insert('projects', { orgId: 'org_b', name: `b${at}`, budget: 0 })
      for (let at = 0; at < 9; at++) await ctx.db.insert('projects', { orgId: 'org_a', name: `a${at}`, budget: 0 })
    })
    const ada = as('ada', 'org_a')
    expect(await ada.query(api.projects.listCounted, {})).toEqual({ rows: 10, read: 10 })
    expect(await ada.query(api.projects.pageCounted, { most: 20 })).toEqual({ rows: 10, read: 10 })
  })
})
