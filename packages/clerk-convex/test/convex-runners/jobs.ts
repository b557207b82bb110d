import { v } from 'convex/values'
import { explicitPrincipal } from '../../src/convex/index.ts'
import { unwrap } from '../../src/index.ts'
import { auth } from './auth.ts'

export const all = auth.internalOrgQuery({
  args: {},
  permission: 'job:read',
  handler: async (ctx) => (await ctx.db.query('jobs').collect()).map(({ _id, state }) => ({ id: _id, state })),
})

export const take = auth.internalOrgMutation({
  args: { id: v.id('jobs') },
  permission: 'job:run',
  audit: 'job.take',
  handler: async (ctx, { id }) => {
    await ctx.db.patch(id, { state: 'taken' })
    return { by: ctx.principal.user, runner: ctx.principal.runner?.id, workspace: ctx.principal.workspace }
  },
})

export const inWorkspace = auth.internalOrgQuery({
  args: { workspaceId: v.string() },
  workspace: 'workspaceId',
  handler: async (ctx) => (await ctx.db.query('jobs').collect()).length,
})

export const write = auth.internalOrgMutation({
  args: { text: v.string() },
  permission: 'note:write',
  handler: async (ctx, { text }) => {
    await ctx.db.insert('notes', { text })
    return null
  },
})

/** Goes on in the runner's name after the request. */
export const finishLater = auth.internalOrgMutation({
  args: { id: v.id('jobs') },
  permission: 'job:run',
  handler: async (ctx, { id }) => {
    const { internal } = await import('./_generated/api.ts')
    await ctx.scheduler.runAfter(60_000, internal.jobs.take, { id, principal: explicitPrincipal(ctx.principal) })
    return null
  },
})

export const takeByAction = auth.internalOrgAction({
  args: { id: v.id('jobs') },
  permission: 'job:run',
  handler: async (ctx, { id }): Promise<{ by: string | undefined }> => {
    const { internal } = await import('./_generated/api.ts')
    return unwrap(ctx.runMutation(internal.jobs.take, { id, principal: explicitPrincipal(ctx.principal) }))
  },
})
