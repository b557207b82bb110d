import { v } from 'convex/values'
import { auth } from './auth.ts'

const mostListed = 50
const mostLines = 200
const longestTask = 500

/** The newest of a workspace, live. */
export const list = auth.orgQuery({
  args: { workspaceId: v.string() },
  workspace: 'workspaceId',
  handler: (ctx) => ctx.db.query('runs').order('desc').take(mostListed),
})

/** The last lines that a run has printed, oldest first. */
export const lines = auth.orgQuery({
  args: { workspaceId: v.string(), run: v.id('runs') },
  workspace: 'workspaceId',
  handler: async (ctx, { run }) => {
    const newest = await ctx.db
      .query('lines')
      .withIndex('by_run', (q) => q.eq('run', run))
      .order('desc')
      .take(mostLines)
    return newest.reverse().map(({ _id, text }) => ({ _id, text }))
  },
})

/** In a protected repository a run waits for an approval; else for a runner. */
export const start = auth.orgMutation({
  args: { workspaceId: v.string(), repository: v.id('repositories'), task: v.string() },
  workspace: 'workspaceId',
  permission: 'run:start',
  audit: 'run.start',
  handler: async (ctx, { repository, task }) => {
    // A repository of another workspace is refused here, before anything is written.
    await ctx.db.patch(repository, { lastRunAt: Date.now() })
    const found = await ctx.db.get(repository)
    const run = await ctx.db.insert('runs', {
      repository: found?.name ?? '',
      task: task.slice(0, longestTask),
      state: found?.isProtected === true ? 'waiting' : 'queued',
      startedBy: ctx.principal.user ?? '',
    })
    if (found?.isProtected === true) await ctx.db.insert('approvals', { run, state: 'pending' })
    return run
  },
})

/** Asks for a recent proof of who it is. The runner that works on it is told with its next line. */
export const stop = auth.orgMutation({
  args: { id: v.id('runs') },
  permission: 'run:stop',
  stepUpSeconds: 600,
  audit: 'run.stop',
  handler: async (ctx, { id }) => {
    const run = await ctx.db.get(id)
    if (run !== null && !['waiting', 'queued', 'running'].includes(run.state)) return null
    // What is not ours to see is refused here.
    await ctx.db.patch(id, { state: 'stopped', endedAt: Date.now() })
    return null
  },
})
