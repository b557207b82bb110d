import {
  type GenericMutationCtx,
  httpActionGeneric,
  httpRouter,
  internalMutationGeneric,
  internalQueryGeneric,
  makeFunctionReference,
  queryGeneric,
} from 'convex/server'
import { ConvexError, v } from 'convex/values'
import { describe, expect, it } from 'vitest'
import { denied } from '../src/denial.ts'
import { type IsolationRequest, proveIsolation } from '../src/testing/index.ts'
import { auth } from './convex/auth.ts'
import { type Model, modules } from './convex-world.ts'
import { type ProvenWorld, type Seeded, world } from './isolation-world.ts'

const generated = { './convex/_generated/api.ts': async () => ({}) }
const gateFile = Object.fromEntries(Object.entries(modules).filter(([path]) => path.endsWith('/auth.ts')))

type Make = (seeded: Seeded) => Record<string, unknown>
const ofProject: Make = ({ projectA }) => ({ id: projectA })
const ofTwo: Make = ({ projectA, openRunA }) => ({ project: projectA, run: openRunA })
const project = v.id('projects')
const raw = 'a hole of the tests'

async function failuresOf(exported: Record<string, unknown>, args: Make, more: Partial<ProvenWorld> = {}) {
  const report = await proveIsolation(
    { ...generated, ...gateFile, './convex/hole.ts': async () => exported },
    { ...world, open: [], requests: {}, args: { 'hole:hole': args }, ...more },
  )
  return report.failures.map(({ persona, fault }) => `${persona}: ${fault}`).join('; ')
}

const byId = internalQueryGeneric({ args: { id: project }, handler: (ctx, { id }) => ctx.db.get(id) })
const wipe = internalMutationGeneric({ args: { id: project }, handler: (ctx, { id }) => ctx.db.delete(id) })
const inner = {
  byId: makeFunctionReference<'query', { id: string }, { name: string } | null>('hole:byId'),
  wipe: makeFunctionReference<'mutation', { id: string }>('hole:wipe'),
  rename: makeFunctionReference<'mutation'>('projects:renameFor'),
}
let kept: GenericMutationCtx<Model>['db'] | undefined

const holes: readonly (readonly [what: string, exported: Record<string, unknown>, args: Make, fault: RegExp])[] = [
  [
    'names of foreign rows, without their ids',
    {
      hole: auth.orgQuery({
        args: {},
        handler: async (ctx) => (await (await ctx.unsafeDb(raw)).query('projects').collect()).map(({ name }) => name),
      }),
    },
    () => ({}),
    /foreignOrganization: answers otherwise/,
  ],
  [
    'how many foreign rows there are',
    {
      hole: auth.orgQuery({
        args: {},
        handler: async (ctx) => (await (await ctx.unsafeDb(raw)).query('projects').collect()).length,
      }),
    },
    () => ({}),
    /foreignOrganization: answers otherwise/,
  ],
  [
    'a foreign row by its id, its id and time left out',
    {
      hole: auth.orgQuery({
        args: { id: project },
        handler: async (ctx, { id }) => ({ budget: (await (await ctx.unsafeDb(raw)).get(id))?.budget ?? null }),
      }),
    },
    ofProject,
    /foreignOrganization: answers otherwise/,
  ],
  [
    'whether a foreign row is there',
    {
      hole: auth.orgQuery({
        args: { id: project },
        handler: async (ctx, { id }) => (await (await ctx.unsafeDb(raw)).get(id)) !== null,
      }),
    },
    ofProject,
    /foreignOrganization: answers otherwise/,
  ],
  [
    'rows beside a denial',
    {
      hole: auth.orgMutation({
        args: { id: project },
        handler: async (ctx, { id }) => {
          const row = await (await ctx.unsafeDb(raw)).get(id)
          return row?.orgId === ctx.principal.organization ? null : { ...denied('not_found'), row }
        },
      }),
    },
    ofProject,
    /foreignOrganization: hands out more than a denial/,
  ],
  [
    'a name in the message of a denial',
    {
      hole: auth.orgQuery({
        args: { id: project },
        handler: async (ctx, { id }) => {
          const row = await (await ctx.unsafeDb(raw)).get(id)
          if (row?.orgId === ctx.principal.organization) return null
          throw new ConvexError({ countersignDenied: { reason: 'not_found', message: `Not yours: ${row?.name}` } })
        },
      }),
    },
    ofProject,
    /foreignOrganization: hands out more than a denial/,
  ],
  [
    'pages over an index of everybody',
    {
      hole: auth.orgQuery({
        args: {},
        handler: async (ctx) => {
          const db = await ctx.unsafeDb(raw)
          return db.query('projects').withIndex('by_name').paginate({ numItems: 1, cursor: null })
        },
      }),
    },
    () => ({}),
    /foreignOrganization: (hands out|answers otherwise)/,
  ],
  [
    'a list of which the first alone is looked at',
    {
      hole: auth.orgMutation({
        args: { ids: v.array(project) },
        handler: async (ctx, { ids }) => {
          const [first] = ids
          if (first !== undefined) await ctx.db.patch(first, { budget: 1 })
          const db = await ctx.unsafeDb(raw)
          for (const id of ids) await db.patch(id, { budget: 2 })
        },
      }),
    },
    ({ projectA }) => ({ ids: [projectA] }),
    /^foreignOrganization: changed projects.*asked with/,
  ],
  [
    'a list of which the last alone is looked at',
    {
      hole: auth.orgQuery({
        args: { ids: v.array(project) },
        handler: async (ctx, { ids }) => {
          const last = ids.at(-1)
          if (last === undefined || (await ctx.db.get(last)) === null) return []
          const db = await ctx.unsafeDb(raw)
          return Promise.all(ids.map((id) => db.get(id)))
        },
      }),
    },
    ({ projectA }) => ({ ids: [projectA] }),
    /^foreignOrganization: hands out projects.*asked with/,
  ],
  [
    'a record of which one key is looked at',
    {
      hole: auth.orgMutation({
        args: { budgets: v.record(project, v.number()) },
        handler: async (ctx, { budgets }) => {
          const ids = Object.keys(budgets) as (keyof typeof budgets)[]
          // Convex hands records over with their keys in order.
          const last = ids.at(-1)
          if (last === undefined || (await ctx.db.get(last)) === null) return
          const db = await ctx.unsafeDb(raw)
          for (const id of ids) await db.patch(id, { budget: budgets[id] ?? 0 })
        },
      }),
    },
    ({ projectA }) => ({ budgets: { [projectA]: 7 } }),
    /^foreignOrganization: changed projects.*asked with/,
  ],
  [
    'two ids of which one is looked at',
    {
      hole: auth.orgMutation({
        args: { project, run: v.id('runs') },
        handler: async (ctx, { project: id, run }) => {
          await ctx.db.patch(id, { budget: 3 })
          await (await ctx.unsafeDb(raw)).patch(run, { state: 'stopped' })
        },
      }),
    },
    ofTwo,
    /^foreignOrganization: changed runs.*asked with/,
  ],
  [
    'a workspace that is checked, and an id that is not',
    {
      hole: auth.orgQuery({
        args: { workspaceId: v.string(), id: v.id('runs') },
        workspace: 'workspaceId',
        handler: async (ctx, { id }) => (await ctx.unsafeDb(raw)).get(id),
      }),
    },
    ({ privateRunA }) => ({ workspaceId: 'private_a', id: privateRunA }),
    /foreignOrganization: hands out runs.*asked with.*foreignWorkspace: hands out runs.*asked with/,
  ],
  [
    'an action that asks an internal function',
    {
      byId,
      hole: auth.orgAction({
        args: { id: project },
        handler: async (ctx, { id }): Promise<string> => (await ctx.runQuery(inner.byId, { id }))?.name ?? '',
      }),
    },
    ofProject,
    /foreignOrganization: answers otherwise/,
  ],
  [
    'a mutation that has it done at once',
    {
      wipe,
      hole: auth.orgMutation({
        args: { id: project },
        handler: async (ctx, { id }) => {
          await ctx.scheduler.runAfter(0, inner.wipe, { id })
        },
      }),
    },
    ofProject,
    /^foreignOrganization: changed projects/,
  ],
  [
    'an action that has it done next week',
    {
      wipe,
      hole: auth.orgAction({
        args: { id: project },
        handler: async (ctx, { id }) => {
          await ctx.scheduler.runAfter(604_800_000, inner.wipe, { id })
        },
      }),
    },
    ofProject,
    /^foreignOrganization: changed projects/,
  ],
  [
    'a principal made of arguments',
    {
      rename: auth.internalOrgMutation({
        args: { id: project },
        handler: (ctx, { id }) => ctx.db.patch(id, { name: 'x' }),
      }),
      hole: auth.orgAction({
        args: { id: project, organization: v.string() },
        handler: async (ctx, { id, organization }) => {
          const rename = makeFunctionReference<'mutation'>('hole:rename')
          await ctx.runMutation(rename, { id, principal: { organization, system: 'robot' } })
        },
      }),
    },
    ({ projectA }) => ({ id: projectA, organization: 'org_a' }),
    /^foreignOrganization: changed projects/,
  ],
  [
    'the raw database of an earlier call',
    {
      hole: auth.orgMutation({
        args: { id: project },
        handler: async (ctx, { id }) => {
          kept ??= (await ctx.unsafeDb(raw)) as unknown as NonNullable<typeof kept>
          await kept.delete(id)
        },
      }),
    },
    ofProject,
    /^foreignOrganization: changed projects/,
  ],
  [
    'a foreign row copied into one of the own',
    {
      hole: auth.orgMutation({
        args: { id: project },
        handler: async (ctx, { id }) => {
          const found = await (await ctx.unsafeDb(raw)).get(id)
          await ctx.db.insert('projects', { name: found?.name ?? 'none', budget: 0 })
        },
      }),
    },
    ofProject,
    /^foreignOrganization: answers otherwise/,
  ],
  [
    'a default export',
    { default: queryGeneric({ args: {}, handler: async (ctx) => (await ctx.db.query('projects').collect()).length }) },
    () => ({}),
    /definition: was not made by defineAuth/,
  ],
]

describe('the proof finds', () => {
  it.each(holes)('%s', async (_what, exported, args, fault) => {
    const name = 'default' in exported ? 'hole:default' : 'hole:hole'
    expect(await failuresOf(exported, args, { args: { [name]: args } })).toMatch(fault)
  })

  it.each(['not_generated', 'deep/_generated'])('a function in the folder %s', async (folder) => {
    const hole = queryGeneric({ args: {}, handler: () => null })
    const files = { [`./convex/${folder}/hole.ts`]: async () => ({ hole }), ...generated }
    const { failures } = await proveIsolation(files, { ...world, open: [], requests: {}, args: {} })
    expect(failures[0]).toMatchObject({
      function: `${folder}/hole:hole`,
      fault: expect.stringMatching(/^was not made/),
    })
  })

  it('a foreign line of the audit log', async () => {
    const seed: ProvenWorld['seed'] = async (t) => {
      const seeded = await world.seed(t)
      const row = { at: 1, kind: 'action', action: 'x', outcome: 'allowed', organization: 'org_a' } as const
      await t.run((ctx) => ctx.db.insert('authAudit', row))
      return seeded
    }
    const hidden: ProvenWorld['hidden'] = (persona, row, table) =>
      world.hidden(persona, row, table) || (persona === 'foreignOrganization' && row.organization === 'org_a')
    const hole = auth.orgQuery({
      args: {},
      handler: async (ctx) => (await ctx.unsafeDb(raw)).query('authAudit').collect(),
    })
    expect(await failuresOf({ hole }, () => ({}), { seed, hidden })).toMatch(/foreignOrganization: hands out authAudit/)
  })
})

describe('routes', () => {
  const routed = (respond: (db: GenericMutationCtx<Model>['db'], who: string | undefined) => Promise<Response>) => {
    const http = httpRouter()
    const read = makeFunctionReference<'query', Record<string, never>, { names: string[]; who: string | undefined }>(
      'hole:read',
    )
    const handler = httpActionGeneric(async (ctx) => {
      const { names, who } = await ctx.runQuery(read, {})
      return respond(names as never, who)
    })
    http.route({ path: '/names', method: 'GET', handler })
    http.route({ pathPrefix: '/names/', method: 'GET', handler })
    const readAll = internalQueryGeneric({
      args: {},
      handler: async (ctx) => ({
        names: (await ctx.db.query('projects').collect()).map(({ name }) => String(name)),
        who: (await ctx.auth.getUserIdentity())?.subject,
      }),
    })
    return { http, readAll }
  }
  const prove = async (
    respond: (names: readonly string[], who: string | undefined) => Promise<Response>,
    requests: Record<string, () => IsolationRequest>,
  ) => {
    const { http, readAll } = routed(respond as never)
    const files = {
      ...generated,
      './convex/http.ts': async () => ({ default: http }),
      './convex/hole.ts': async () => ({ read: readAll }),
    }
    const { failures } = await proveIsolation(files, { ...world, open: [], args: {}, requests })
    return failures.map((one) => `${one.function} ${one.persona}: ${one.fault}`)
  }
  const both = { 'GET /names': () => ({}), 'GET /names/*': () => ({ path: '/names/all' }) }

  it('that are not described fail', async () => {
    const faults = await prove(async () => new Response(null, { status: 401 }), {})
    const fault = 'is neither among the requests to be proved with, nor listed as open'
    expect(faults).toEqual([`GET /names definition: ${fault}`, `GET /names/* definition: ${fault}`])
  })

  it('that answer anybody fail, and so do those that hand out what is hidden', async () => {
    const open = await prove(async (names) => Response.json(names), both)
    expect(open).toContain('GET /names nobody: is answered')
    const signedIn = await prove(async (names, who) => new Response(names.join(), { status: who ? 200 : 401 }), both)
    const fault = 'answers otherwise where the hidden rows are not there'
    expect(signedIn).toEqual([`GET /names foreignOrganization: ${fault}`, `GET /names/* foreignOrganization: ${fault}`])
  })

  it('that fail with a 500, or that turn the rightful away, are not proved by it', async () => {
    const broken = await prove(async (_names, who) => new Response(null, { status: who === 'ada' ? 200 : 500 }), both)
    expect(broken).toContain('GET /names nobody: fails instead of being denied: 500')
    const shut = await prove(async () => new Response(null, { status: 403 }), both)
    expect(shut).toEqual(['GET /names rightful: is answered with 403', 'GET /names/* rightful: is answered with 403'])
  })
})

describe('the proof raises no alarm over', () => {
  const harmless: readonly (readonly [what: string, hole: unknown, args: Make])[] = [
    [
      'the own rows, whole, with their times',
      auth.orgQuery({ args: {}, handler: (ctx) => ctx.db.query('projects').collect() }),
      () => ({}),
    ],
    [
      'the time of day and a number by chance',
      auth.orgMutation({ args: {}, handler: () => ({ now: Date.now(), any: Math.random() }) }),
      () => ({}),
    ],
    ['ids that are echoed', auth.orgQuery({ args: { id: project }, handler: (_ctx, { id }) => id }), ofProject],
    [
      'two ids of which each is looked at',
      auth.orgMutation({
        args: { project, run: v.id('runs') },
        handler: async (ctx, { project: id, run }) => {
          await ctx.db.patch(id, { budget: 3 })
          await ctx.db.patch(run, { state: 'stopped' })
        },
      }),
      ofTwo,
    ],
  ]
  it.each(harmless)('%s', async (_what, hole, args) => {
    expect(await failuresOf({ hole }, args)).toBe('')
  })

  it('a total that is said to tell', async () => {
    const hole = auth.orgQuery({
      args: {},
      handler: async (ctx) => (await (await ctx.unsafeDb(raw)).query('runs').collect()).length,
    })
    expect(await failuresOf({ hole }, () => ({}))).not.toBe('')
    expect(await failuresOf({ hole }, () => ({}), { telling: ['hole:hole'] })).toBe('')
  })
})

describe('a world that shows nothing', () => {
  const hole = auth.orgQuery({ args: {}, permission: 'run:stop', handler: () => null })
  it.each([
    [
      'no row is hidden',
      { hidden: () => false },
      /foreignOrganization: has no row hidden from it; foreignWorkspace: has/,
    ],
    [
      'the foreign one belongs nowhere',
      { personas: { ...world.personas, foreignOrganization: { subject: 'x', issuer: 'https://clerk.test' } } },
      /^foreignOrganization: is let in nowhere: no_organization$/,
    ],
    [
      'the one without the role is no member',
      {
        personas: {
          ...world.personas,
          missingRole: world.personas.foreignOrganization,
          foreignOrganization: world.rightful,
        },
      },
      /missingRole: is nowhere denied for its role/,
    ],
  ] satisfies [string, Partial<ProvenWorld>, RegExp][])('is said when %s', async (_what, more, fault) => {
    expect(await failuresOf({ hole }, () => ({}), more)).toMatch(fault)
  })
})
