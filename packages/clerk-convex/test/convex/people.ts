import { v } from 'convex/values'
import { auth } from './auth.ts'

export const drafts = auth.userQuery({ args: {}, handler: (ctx) => ctx.db.query('drafts').collect() })

export const draft = auth.userMutation({
  args: { text: v.string() },
  handler: (ctx, { text }) => ctx.db.insert('drafts', { text }),
})

export const erase = auth.userMutation({
  args: { id: v.id('drafts') },
  audit: 'draft.erase',
  handler: (ctx, { id }) => ctx.db.delete(id),
})

export const greet = auth.userAction({ args: {}, handler: async (ctx) => `Hello ${ctx.principal.user}` })

export const version = auth.publicQuery({
  args: {},
  handler: async (ctx) => {
    await ctx.unsafeDb('counts nothing, for a test')
    return '1'
  },
})
