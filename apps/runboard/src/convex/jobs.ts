import { v } from 'convex/values'
import { auth } from './auth.ts'

const mostLines = 2_000
const longestLine = 1_000

/** What waits for a runner: asked often, so it is not written down. */
export const next = auth.internalOrgQuery({
  args: {},
  handler: async (ctx) => {
    const run = await ctx.db
      .query('runs')
      .withIndex('by_state', (q) => q.eq('state', 'queued'))
      .first()
    return run?._id ?? null
  },
})

/** Null when another runner was faster. */
export const take = auth.internalOrgMutation({
  args: { id: v.id('runs') },
  permission: 'run:execute',
  audit: 'run.take',
  handler: async (ctx, { id }) => {
    const run = await ctx.db.get(id)
    if (run?.state !== 'queued') return null
    await ctx.db.patch(id, { state: 'running', ...(ctx.principal.runner && { runner: ctx.principal.runner.id }) })
    return { id, task: run.task, repository: run.repository }
  },
})

/** Says whether to go on: a run that was stopped, or is another runner's, is not. */
export const report = auth.internalOrgMutation({
  args: { id: v.id('runs'), lines: v.array(v.string()) },
  handler: async (ctx, { id, lines }) => {
    const run = await ctx.db.get(id)
    if (run?.state !== 'running' || run.runner !== ctx.principal.runner?.id) return false
    const printed = run.printed ?? 0
    const kept = lines.slice(0, Math.max(0, mostLines - printed))
    for (const text of kept) await ctx.db.insert('lines', { run: id, text: text.slice(0, longestLine) })
    await ctx.db.patch(id, { printed: printed + kept.length })
    return true
  },
})

export const finish = auth.internalOrgMutation({
  args: { id: v.id('runs'), succeeded: v.boolean() },
  permission: 'run:execute',
  audit: 'run.finish',
  handler: async (ctx, { id, succeeded }) => {
    const run = await ctx.db.get(id)
    if (run?.state !== 'running' || run.runner !== ctx.principal.runner?.id) return false
    await ctx.db.patch(id, { state: succeeded ? 'succeeded' : 'failed', endedAt: Date.now() })
    return true
  },
})
