import { v } from 'convex/values'
import { auth } from './auth.ts'

export const list = auth.orgQuery({
  args: { workspaceId: v.string() },
  workspace: 'workspaceId',
  handler: (ctx) => ctx.db.query('runs').collect(),
})

export const inState = auth.orgQuery({
  args: { workspaceId: v.string(), state: v.string() },
  workspace: 'workspaceId',
  handler: (ctx, { state }) =>
    ctx.db
      .query('runs')
      .withIndex('by_workspace_state', (q) => q.eq('state', state))
      .collect(),
})

export const read = auth.orgQuery({ args: { id: v.id('runs') }, handler: (ctx, { id }) => ctx.db.get(id) })

export const start = auth.orgMutation({
  args: { workspaceId: v.string() },
  workspace: 'workspaceId',
  permission: 'run:start',
  audit: 'run.start',
  handler: (ctx) => ctx.db.insert('runs', { state: 'running' }),
})

export const stop = auth.orgMutation({
  args: { id: v.id('runs') },
  permission: 'run:stop',
  audit: 'run.stop',
  handler: (ctx, { id }) => ctx.db.patch(id, { state: 'stopped' }),
})

export const move = auth.orgMutation({
  args: { id: v.id('runs'), workspaceId: v.string() },
  permission: 'run:stop',
  handler: (ctx, { id, workspaceId }) => ctx.db.patch(id, { workspaceId }),
})

/** Writes before it is refused. */
export const stopTwo = auth.orgMutation({
  args: { first: v.id('runs'), second: v.id('runs') },
  permission: 'run:stop',
  handler: async (ctx, { first, second }) => {
    await ctx.db.patch(first, { state: 'stopped' })
    await ctx.db.patch(second, { state: 'stopped' })
  },
})
