import { makeFunctionReference } from 'convex/server'
import { v } from 'convex/values'
import { convexTest } from 'convex-test'
import { expect, it } from 'vitest'
import { auth, issuer } from './convex/auth.ts'
import schema from './convex/schema.ts'
import { modules, seedWorld } from './convex-world.ts'

const page = makeFunctionReference<'query'>('projects:page')

/** Ranges that try to begin anew after the tenant's own beginning. */
const ranges = {
  again: auth.orgQuery({
    args: { organization: v.string() },
    handler: (ctx, { organization }) =>
      ctx.db
        .query('projects')
        .withIndex('by_org', (q) =>
          (q as unknown as { eq(field: string, value: string): never }).eq('orgId', organization),
        )
        .collect(),
  }),
  filtered: auth.orgQuery({
    args: { organization: v.string() },
    handler: (ctx, { organization }) =>
      ctx.db
        .query('projects')
        .filter((q) => q.eq(q.field('orgId'), organization))
        .collect(),
  }),
  /** One id in every way that reads or writes. */
  every: auth.orgMutation({
    args: { id: v.string(), how: v.string() },
    handler: async (ctx, { id, how }) => {
      const one = id as never
      if (how === 'get') return ctx.db.get(one)
      if (how === 'get in') return ctx.db.get('projects', one)
      if (how === 'patch') return ctx.db.patch(one, {})
      if (how === 'replace') return ctx.db.replace(one, { name: 'x', budget: 0 })
      return ctx.db.delete(one)
    },
  }),
}

async function attackWorld() {
  const t = convexTest({ schema, modules: { ...modules, './convex/hole.ts': async () => ranges } })
  const ids = await seedWorld(t)
  await t.run(async (ctx) => {
    for (let at = 0; at < 5; at++) {
      for (const orgId of ['org_a', 'org_b'])
        await ctx.db.insert('projects', { orgId, name: `${orgId} ${at}`, budget: 0 })
    }
  })
  const as = (subject: string, organization: string) => t.withIdentity({ subject, issuer, o: { id: organization } })
  return { t, ids, ada: as('ada', 'org_a'), bob: as('bob', 'org_b') }
}

it('a cursor of another tenant leads to no row of theirs', async () => {
  const { ada, bob } = await attackWorld()
  const foreign = await ada.query(page, { paginationOpts: { numItems: 2, cursor: null } })
  for (const cursor of [foreign.continueCursor, '', '_end_cursor', 'x', JSON.stringify({ position: 0 })]) {
    const own = await bob.query(page, { paginationOpts: { numItems: 100, cursor } }).catch(() => ({ page: [] }))
    expect(own.page.every(({ orgId }: { readonly orgId: string }) => orgId === 'org_b')).toBe(true)
  }
})

it.each(['again', 'filtered'])('a range or a filter leads to no row of another tenant: %s', async (name) => {
  const { bob } = await attackWorld()
  const read = bob.query(makeFunctionReference<'query'>(`hole:${name}`), { organization: 'org_a' })
  expect(await read.catch(() => [])).toEqual([])
})

it('no id says whether there is something: of another tenant, of a table out of reach, of nothing, of no table', async () => {
  for (const how of ['get', 'get in', 'patch', 'replace', 'delete']) {
    const { t, ids, bob } = await attackWorld()
    const [member, gone] = await t.run(async (ctx) => {
      const made = await ctx.db.insert('projects', { orgId: 'org_b', name: 'gone', budget: 0 })
      await ctx.db.delete(made)
      return [(await ctx.db.query('authMemberships').first())?._id ?? '', made] as const
    })
    const before = await t.run((ctx) => ctx.db.query('projects').collect())
    const answers = new Set<string>()
    for (const id of [
      ids.projectA,
      ids.privateRunA,
      ids.draft,
      ids.secret,
      member,
      gone,
      '',
      'x',
      '__proto__',
      '1'.repeat(5_000),
    ]) {
      const answer = await bob.mutation(makeFunctionReference<'mutation'>('hole:every'), { id, how }).catch(String)
      answers.add(JSON.stringify(answer))
    }
    expect([...answers], how).toHaveLength(1)
    expect(await t.run((ctx) => ctx.db.query('projects').collect())).toEqual(before)
  }
})
