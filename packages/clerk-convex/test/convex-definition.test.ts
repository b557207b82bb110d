import { readFileSync } from 'node:fs'
import { defineSchema, defineTable } from 'convex/server'
import { v } from 'convex/values'
import { describe, expect, it } from 'vitest'
import { authTables, defineAuth, readCard } from '../src/convex/index.ts'
import { auth } from './convex/auth.ts'
import testSchema from './convex/schema.ts'
import { createWorld } from './convex-world.ts'

const schema = defineSchema({
  ...authTables,
  runs: defineTable({ orgId: v.string(), place: v.string() }).index('by_org', ['orgId']).index('by_place', ['place']),
})
const identities = { clerkIssuer: 'https://clerk.test' }
const roles = { admin: ['run:stop'] } as const

describe('defineAuth', () => {
  const good = { schema, tenants: { runs: { index: 'by_org', field: 'orgId' } }, roles, identities } as const
  const bad: [what: string, options: unknown, named: RegExp][] = [
    ['an index of another field', { ...good, tenants: { runs: { index: 'by_place', field: 'orgId' } } }, /by_place/],
    ['no such index', { ...good, tenants: { runs: { index: 'by_no', field: 'orgId' } } }, /by_no/],
    ['no such table', { ...good, tenants: { no: { index: 'by_org', field: 'orgId' } } }, /tenants\.no/],
    [
      'an index without the workspace',
      { ...good, tenants: { runs: { index: 'by_org', field: 'orgId', workspace: 'place' } } },
      /orgId, place/,
    ],
    [
      'a table of authorisation',
      { ...good, tenants: { authMemberships: { index: 'by_organization_user', field: 'organization' } } },
      /out of reach/,
    ],
    ['a schema without the tables', { ...good, schema: defineSchema({}) }, /authTables/],
    ['an issuer that is no URL', { ...good, identities: { clerkIssuer: 'clerk' } }, /clerkIssuer/],
    ['a module elsewhere', { ...good, module: '../auth' }, /module/],
  ]
  it.each(bad)('refuses %s', (_what, options, named) => {
    expect(() => defineAuth(options as never)).toThrow(
      expect.objectContaining({ code: 'bad_option', message: expect.stringMatching(named) }),
    )
  })

  it('refuses a function that cannot be held to what it asks', () => {
    const handler = () => null
    const wrong: object[] = [
      { args: {}, workspace: 'workspaceId', handler },
      { args: { principal: v.string() }, handler },
      { args: {}, stepUpSeconds: 30, handler },
    ]
    for (const one of wrong) {
      expect(() => auth.orgMutation(one as never)).toThrow(expect.objectContaining({ code: 'bad_option' }))
    }
  })

  it('keeps on each function what it asks', () => {
    const { orgMutation, publicQuery } = defineAuth(good)
    const stop = orgMutation({ args: {}, permission: 'run:stop', stepUpSeconds: 60, handler: () => null })
    expect(readCard(stop)).toEqual({ caller: 'org', permission: 'run:stop', stepUpSeconds: 60 })
    expect(readCard(publicQuery({ args: {}, handler: () => null }))).toEqual({ caller: 'public' })
    expect(readCard(() => null)).toBeUndefined()
    // @ts-expect-error no role has this permission
    orgMutation({ args: {}, permission: 'run:fly', handler: () => null })
  })
})

/** Of a handler run in a real transaction: the code that it fails with. */
async function codeOf(call: (db: Parameters<Parameters<typeof auth.orgMutation>[0]['handler']>[0]) => unknown) {
  const { as } = await createWorld()
  const attempt = auth.orgMutation({ args: {}, handler: async (ctx) => void (await call(ctx)) })
  const handler = Reflect.get(attempt, '_handler')
  return as('ada', 'org_a')
    .mutation(async (ctx) => handler(ctx, {}))
    .then(
      () => undefined,
      (error: unknown) => (error instanceof Error && 'code' in error ? error.code : error),
    )
}

describe('ctx.db', () => {
  it('refuses tables that are not listed, and indexes that begin elsewhere', async () => {
    /** What the types do not let through. */
    interface Loose {
      query(table: string): { withIndex(index: string): { collect(): unknown }; collect(): unknown }
      insert(table: string, value: object): unknown
    }
    const misuses: ((db: Loose) => unknown)[] = [
      (db) => db.query('secrets'),
      (db) => db.query('authMemberships'),
      (db) => db.insert('secrets', { value: '' }),
      (db) => db.query('projects').withIndex('by_name').collect(),
      (db) => db.query('runs').withIndex('by_org').collect(),
      (db) => db.query('runs').collect(),
      (db) => db.insert('runs', { state: 'x' }),
    ]
    for (const misuse of misuses) expect(await codeOf(({ db }) => misuse(db as unknown as Loose))).toBe('tenant_misuse')
  })

  it('keeps a row with its tenant, whatever is written', async () => {
    const world = await createWorld()
    for (const value of [{ orgId: 'org_b' }, { orgId: undefined }]) {
      const attempt = auth.orgMutation({
        args: { id: v.id('projects') },
        handler: async (ctx, { id }) => ctx.db.patch(id, value as never),
      })
      const handler = Reflect.get(attempt, '_handler')
      const ada = world.as('ada', 'org_a')
      await ada.mutation(async (ctx) => handler(ctx, { id: world.ids.projectA }))
      expect(await world.t.run((ctx) => ctx.db.get(world.ids.projectA))).toMatchObject({ orgId: 'org_a' })
    }
  })

  it('gives the raw database for a reason only, which is written down', async () => {
    expect(await codeOf((ctx) => ctx.unsafeDb('why'))).toBe('tenant_misuse')
    const world = await createWorld()
    const attempt = auth.orgMutation({
      args: {},
      handler: async (ctx) => (await (await ctx.unsafeDb('count all projects')).query('projects').collect()).length,
    })
    const count = await world.as('ada', 'org_a').mutation(async (ctx) => Reflect.get(attempt, '_handler')(ctx, {}))
    expect(count).toBe(2)
    expect(await world.audit()).toMatchObject([{ kind: 'unsafe', reason: 'count all projects', user: 'ada' }])
  })
})

it('shows functions in the README that work', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  const [, section = ''] = readme.split('## Convex functions that know who calls them\n')
  const [, code = ''] = /```ts\n(.*?)```/s.exec(section) ?? []
  const plain = code.replaceAll(/^import .*$/gm, '').replaceAll('export const', 'const')
  const made = new Function(
    'defineAuth',
    'schema',
    'v',
    `${plain}\nreturn { auth, gate, receiveWebhook, whoAmI, stop }`,
  )(defineAuth, testSchema, v)
  expect(readCard(made.stop)).toEqual({ caller: 'org', permission: 'run:stop', stepUpSeconds: 600 })
  expect([made.gate, made.receiveWebhook, made.whoAmI].every(({ isInternal }) => isInternal)).toBe(true)
})
