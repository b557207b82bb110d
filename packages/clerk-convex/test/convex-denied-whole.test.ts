import { makeFunctionReference } from 'convex/server'
import { v } from 'convex/values'
import { convexTest } from 'convex-test'
import { expect, it } from 'vitest'
import { readDenial } from '../src/denial.ts'
import { auth, issuer } from './convex/auth.ts'
import schema from './convex/schema.ts'
import { modules, seedWorld } from './convex-world.ts'

const project = v.id('projects')

const begun = { own: project, foreign: project, after: v.number() }

/** Each does two things at once, of which one is refused; the other is begun a little later. */
const hole = {
  patches: auth.orgMutation({
    args: begun,
    handler: async (ctx, { own, foreign, after }) => {
      const slowly = async () => {
        for (let at = 0; at < after; at++) await ctx.db.get(own)
        await ctx.db.patch(own, { name: 'changed' })
      }
      await Promise.all([ctx.db.patch(foreign, { name: 'x' }), slowly()])
    },
  }),
  inserts: auth.orgMutation({
    args: begun,
    handler: async (ctx, { own, foreign, after }) => {
      const slowly = async () => {
        for (let at = 0; at < after; at++) await ctx.db.get(own)
        await ctx.db.insert('projects', { name: 'made', budget: 0 })
      }
      await Promise.all([ctx.db.delete(foreign), slowly()])
    },
  }),
  schedules: auth.orgMutation({
    args: begun,
    handler: async (ctx, { own, foreign, after }) => {
      const slowly = async () => {
        for (let at = 0; at < after; at++) await ctx.db.get(own)
        await ctx.scheduler.runAfter(3_600_000, makeFunctionReference<'mutation'>('hole:patches'), {})
      }
      await Promise.all([ctx.db.delete(foreign), slowly()])
    },
  }),
  goesRound: auth.orgMutation({
    args: begun,
    handler: async (ctx, { own, foreign, after }) => {
      const slowly = async () => {
        for (let at = 0; at < after; at++) await ctx.db.get(own)
        const db = await ctx.unsafeDb('a hole of the tests')
        await db.delete(own)
      }
      await Promise.all([ctx.db.delete(foreign), slowly()])
    },
  }),
}

it.each(Object.keys(hole))(
  'a denied mutation that %s leaves nothing of what it did, whenever it did it',
  async (name) => {
    const outcomes = new Set<boolean>()
    for (let after = 0; after < 12; after++) {
      const t = convexTest({ schema, modules: { ...modules, './convex/hole.ts': async () => hole } })
      const { projectA: own, projectB: foreign } = await seedWorld(t)
      const ada = t.withIdentity({ subject: 'ada', issuer, o: { id: 'org_a' } })
      const read = () =>
        t.run(async (ctx) => ({
          projects: await ctx.db.query('projects').collect(),
          jobs: await ctx.db.system.query('_scheduled_functions').collect(),
        }))
      const before = await read()
      const call = ada.mutation(makeFunctionReference<'mutation'>(`hole:${name}`), { own, foreign, after })
      const [answer, isThrown] = await call.then(
        (value) => [value, false] as const,
        (error: unknown) => [error, true] as const,
      )
      expect(readDenial(answer)).toBe('not_found')
      outcomes.add(isThrown)
      expect(await read(), `begun after ${after}`).toEqual(before)
      // A row where the denial stays, none where everything was rolled back.
      const audit = await t.run((ctx) => ctx.db.query('authAudit').collect())
      expect(audit.map(({ outcome }) => outcome)).toEqual(isThrown ? [] : ['denied'])
    }
    expect(outcomes.size).toBe(2)
  },
)
