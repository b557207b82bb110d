import { v } from 'convex/values'
import { auth } from './auth.ts'

const mostListed = 100
const longestName = 120

export const list = auth.orgQuery({
  args: { workspaceId: v.string() },
  workspace: 'workspaceId',
  handler: (ctx) => ctx.db.query('repositories').take(mostListed),
})

/** The same name again changes whether its runs wait for an approval. */
export const connect = auth.orgMutation({
  args: { workspaceId: v.string(), name: v.string(), isProtected: v.boolean() },
  workspace: 'workspaceId',
  permission: 'repository:write',
  audit: 'repository.connect',
  handler: async (ctx, { name: given, isProtected }) => {
    const name = given.trim().slice(0, longestName)
    const known = await ctx.db
      .query('repositories')
      .withIndex('by_name', (q) => q.eq('name', name))
      .unique()
    if (known === null) return ctx.db.insert('repositories', { name, isProtected })
    await ctx.db.patch(known._id, { isProtected })
    return known._id
  },
})

export const disconnect = auth.orgMutation({
  args: { id: v.id('repositories') },
  permission: 'repository:write',
  audit: 'repository.disconnect',
  handler: async (ctx, { id }) => {
    await ctx.db.delete(id)
    return null
  },
})
