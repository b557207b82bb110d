import { expect, it } from 'vitest'
import { readDenial } from '../src/denial.ts'
import { convexRunnerWorld } from './convex-runner-world.ts'
import { internal } from './convex-runners/_generated/api.ts'

it('a runner acts in the organisation and the workspace of its row, whatever it is said to be of', async () => {
  const world = await convexRunnerWorld()
  const { t } = world
  const { id } = await world.paired()
  const member = {
    organization: 'org_other',
    user: world.userId,
    role: 'admin',
    state: 'active',
    changedAt: 1,
  } as const
  await t.run(async (ctx) => void (await ctx.db.insert('authMemberships', member)))
  const runner = { id, epoch: 1, scopes: ['job:read', 'job:run'] }
  const ask = (organization: string, more: object = {}) =>
    t
      .query(internal.jobs.all, { principal: { organization, user: world.userId, runner: { ...runner, ...more } } })
      .then(({ length }) => length, readDenial)
  expect(await ask(world.organizationId)).toBe(1)
  expect(await ask('org_other')).toBe('runner_ended')
  expect(await ask(world.organizationId, { epoch: 2 })).toBe('runner_ended')
  expect(await ask(world.organizationId, { id: 'runner_none' })).toBe('runner_ended')
  expect(await ask(world.organizationId, { scopes: ['job:run'] })).toBe('missing_permission')
  await t.run(async (ctx) => {
    const row = await ctx.db.query('authRunners').first()
    if (row !== null) await ctx.db.patch(row._id, { revoked: true })
  })
  expect(await ask(world.organizationId)).toBe('runner_ended')
})
