import { v } from 'convex/values'
import { auth } from './auth.ts'

const mostLines = 2_000
const longestLine = 1_000

/** What waits for this runner: asked often, so it is not written down. */
export const next = auth.internalOrgQuery({
  args: {},
  handler: async (ctx) => {
    const inState = (state: 'running' | 'queued') =>
      ctx.db.query('runs').withIndex('by_state', (q) => q.eq('state', state))
    // One that it took and does not know of: the answer was lost, or the runner was started anew.
    const own = await inState('running')
      .filter((q) => q.eq(q.field('runner'), ctx.principal.runner?.id))
      .first()
    return (own ?? (await inState('queued').first()))?._id ?? null
  },
})

/** Null when another runner was faster. */
export const take = auth.internalOrgMutation({
  args: { id: v.id('runs') },
  permission: 'run:execute',
  audit: 'run.take',
  handler: async (ctx, { id }) => {
    const run = await ctx.db.get(id)
    const runner = ctx.principal.runner?.id
    if (run === null || runner === undefined) return null
    const isOwn = run.state === 'running' && run.runner === runner
    if (!isOwn && run.state !== 'queued') return null
    await ctx.db.patch(id, { state: 'running', runner })
    return { id, task: run.task, repository: run.repository, printed: run.printed ?? 0 }
  },
})

/**
 * Says whether to go on: a run that was stopped, or is another runner's, is not. `from` is how many lines came before:
 * a report whose answer was lost comes again, and is kept once.
 */
export const report = auth.internalOrgMutation({
  args: { id: v.id('runs'), from: v.number(), lines: v.array(v.string()) },
  handler: async (ctx, { id, from, lines }) => {
    const run = await ctx.db.get(id)
    if (run?.state !== 'running' || run.runner !== ctx.principal.runner?.id) return false
    const printed = run.printed ?? 0
    const kept = lines.slice(Math.max(0, printed - from), Math.max(0, mostLines - from))
    if (kept.length === 0) return true
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
