import { paginationOptsValidator } from 'convex/server'
import { v } from 'convex/values'
import { explicitPrincipal } from '../../src/convex/index.ts'
import { auth } from './auth.ts'

export const list = auth.orgQuery({ args: {}, handler: (ctx) => ctx.db.query('projects').collect() })

export const byName = auth.orgQuery({
  args: { name: v.string() },
  handler: (ctx, { name }) =>
    ctx.db
      .query('projects')
      .withIndex('by_org_name', (q) => q.eq('name', name))
      .collect(),
})

export const page = auth.orgQuery({
  args: { paginationOpts: paginationOptsValidator },
  handler: (ctx, { paginationOpts }) => ctx.db.query('projects').order('desc').paginate(paginationOpts),
})

export const read = auth.orgQuery({ args: { id: v.id('projects') }, handler: (ctx, { id }) => ctx.db.get(id) })

export const create = auth.orgMutation({
  args: { name: v.string() },
  permission: 'project:write',
  audit: 'project.create',
  handler: (ctx, { name }) => ctx.db.insert('projects', { name, budget: 0 }),
})

export const rename = auth.orgMutation({
  args: { id: v.id('projects'), name: v.string() },
  permission: 'project:write',
  audit: 'project.rename',
  returns: v.null(),
  handler: async (ctx, { id, name }) => {
    await ctx.db.patch(id, { name })
    return null
  },
})

export const overwrite = auth.orgMutation({
  args: { id: v.id('projects'), name: v.string() },
  permission: 'project:write',
  handler: (ctx, { id, name }) => ctx.db.replace(id, { name, budget: 1 }),
})

export const remove = auth.orgMutation({
  args: { id: v.id('projects') },
  permission: 'project:write',
  stepUpSeconds: 600,
  audit: 'project.remove',
  handler: (ctx, { id }) => ctx.db.delete(id),
})

export const renameAction = auth.orgAction({
  args: { id: v.id('projects'), name: v.string() },
  permission: 'project:write',
  audit: 'project.rename_by_action',
  handler: async (ctx, { id, name }): Promise<string> => {
    const { internal } = await import('./_generated/api.ts')
    const principal = explicitPrincipal(ctx.principal)
    const result = await ctx.runMutation(internal.projects.renameFor, { id, name, principal })
    return result === null ? 'renamed' : 'refused'
  },
})

export const renameLater = auth.orgMutation({
  args: { id: v.id('projects'), name: v.string() },
  permission: 'project:write',
  handler: async (ctx, { id, name }) => {
    const { internal } = await import('./_generated/api.ts')
    const principal = explicitPrincipal(ctx.principal)
    await ctx.scheduler.runAfter(60_000, internal.projects.renameFor, { id, name, principal })
  },
})

export const renameFor = auth.internalOrgMutation({
  args: { id: v.id('projects'), name: v.string() },
  permission: 'project:write',
  audit: 'project.rename_for',
  handler: async (ctx, { id, name }) => {
    await ctx.db.patch(id, { name })
    return null
  },
})

/** The same list, and how many documents were read for it. */
export const listCounted = auth.orgQuery({
  args: {},
  handler: async (ctx) => {
    const before = (await ctx.meta.getTransactionMetrics()).documentsRead.used
    const rows = await ctx.db.query('projects').collect()
    return { rows: rows.length, read: (await ctx.meta.getTransactionMetrics()).documentsRead.used - before }
  },
})

export const pageCounted = auth.orgQuery({
  args: { most: v.number() },
  handler: async (ctx, { most }) => {
    const before = (await ctx.meta.getTransactionMetrics()).documentsRead.used
    const { page: rows } = await ctx.db.query('projects').paginate({ numItems: most, cursor: null })
    return { rows: rows.length, read: (await ctx.meta.getTransactionMetrics()).documentsRead.used - before }
  },
})
