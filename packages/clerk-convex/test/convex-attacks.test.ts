import { makeFunctionReference } from 'convex/server'
import { v } from 'convex/values'
import { convexTest } from 'convex-test'
import { expect, it } from 'vitest'
import { readDenial } from '../src/denial.ts'
import { withToken } from '../src/testing/index.ts'
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
  move: auth.orgMutation({
    args: { id: v.id('projects'), to: v.optional(v.string()), isUnset: v.boolean() },
    handler: (ctx, { id, to, isUnset }) => ctx.db.patch(id, { orgId: isUnset ? undefined : to } as never),
  }),
  inWorkspace: auth.orgMutation({
    args: { workspaceId: v.string(), id: v.id('runs') },
    workspace: 'workspaceId',
    handler: async (ctx, { id }) => {
      const found = await ctx.db.get(id)
      await ctx.db.patch(id, { state: 'stopped' })
      return found
    },
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

it.each([
  ['another', { to: 'org_b', isUnset: false }],
  ['none', { isUnset: true }],
])('no row is given to %s tenant', async (_which, how) => {
  const { t, ids, ada } = await attackWorld()
  const call = ada.mutation(makeFunctionReference<'mutation'>('hole:move'), { id: ids.projectA, ...how })
  expect(readDenial(await call)).toBe('not_found')
  expect(await t.run((ctx) => ctx.db.get(ids.projectA))).toMatchObject({ orgId: 'org_a' })
})

it('a call in one workspace reaches no row of another one, though its caller sees both', async () => {
  const { t, ids, ada } = await attackWorld()
  const inWorkspace = makeFunctionReference<'mutation'>('hole:inWorkspace')
  const call = ada.mutation(inWorkspace, { workspaceId: 'open_a', id: ids.privateRunA })
  expect(readDenial(await call)).toBe('not_found')
  expect(await t.run((ctx) => ctx.db.get(ids.privateRunA))).toMatchObject({ state: 'running' })
  expect(await ada.mutation(inWorkspace, { workspaceId: 'private_a', id: ids.privateRunA })).toMatchObject({
    workspaceId: 'private_a',
  })
})

it.each([
  ['the caller’s', { sub: 'ada', iss: issuer }, undefined],
  ['another person’s', { sub: 'bob', iss: issuer }, 'step_up_required'],
  ['another issuer’s', { sub: 'ada', iss: 'https://other.test' }, 'step_up_required'],
])('who was verified just now is read from %s token: %o', async (_whose, claims, reason) => {
  const { t, ids } = await attackWorld()
  const iat = Math.floor(Date.now() / 1_000)
  const payload = Buffer.from(JSON.stringify({ ...claims, fva: [0, -1], iat })).toString('base64url')
  const identity = { subject: 'ada', issuer, tokenIdentifier: `${issuer}|ada`, o: { id: 'org_a' } }
  const caller = await withToken(t, { token: `e30.${payload}.e30`, identity })
  const remove = makeFunctionReference<'mutation'>('projects:remove')
  expect(readDenial(await caller.mutation(remove, { id: ids.projectA }))).toBe(reason)
})
