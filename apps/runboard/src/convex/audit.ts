import { auth } from './auth.ts'

const mostListed = 100

/** The newest rows of the organisation: who did what, and who was turned away. */
export const list = auth.orgQuery({
  args: {},
  permission: 'audit:read',
  handler: async (ctx) => {
    const db = await ctx.unsafeDb('shows an organisation its own audit')
    const rows = await db
      .query('authAudit')
      .withIndex('by_organization', (q) => q.eq('organization', ctx.principal.organization))
      .order('desc')
      .take(mostListed)
    return rows.map(({ _id, at, action, outcome, reason, user, workspace }) => ({
      _id,
      at,
      action,
      outcome,
      reason: reason ?? null,
      user: user ?? null,
      workspace: workspace ?? null,
    }))
  },
})
