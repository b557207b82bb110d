import type { TenantWriter } from '@countersign/clerk-convex/convex'
import { v } from 'convex/values'
import type { DataModel, Id } from './_generated/dataModel.js'
import { auth, type tenants } from './auth.ts'

const mostListed = 100

/** Runs that wait for somebody's word, and those of late that got it. */
export const list = auth.orgQuery({
  args: { workspaceId: v.string() },
  workspace: 'workspaceId',
  handler: (ctx) => ctx.db.query('approvals').order('desc').take(mostListed),
})

/** The run goes on to wait for a runner. */
export const approve = auth.orgMutation({
  args: { id: v.id('approvals') },
  permission: 'run:approve',
  audit: 'run.approve',
  handler: (ctx, { id }) => decide(ctx.db, id, { by: ctx.principal.user, state: 'approved', run: 'queued' }),
})

/** A function of its own, so that a no has rows of its own in the audit. */
export const reject = auth.orgMutation({
  args: { id: v.id('approvals') },
  permission: 'run:approve',
  audit: 'run.reject',
  handler: (ctx, { id }) => decide(ctx.db, id, { by: ctx.principal.user, state: 'rejected', run: 'rejected' }),
})

interface Decision {
  readonly by: string | undefined
  readonly state: 'approved' | 'rejected'
  readonly run: 'queued' | 'rejected'
}

async function decide(
  db: TenantWriter<DataModel, typeof tenants>,
  id: Id<'approvals'>,
  { by, state, run: next }: Decision,
): Promise<null> {
  const approval = await db.get(id)
  // Somebody was faster.
  if (approval !== null && approval.state !== 'pending') return null
  // An approval that is not the caller's to see is refused here.
  await db.patch(id, { state, ...(by === undefined ? {} : { decidedBy: by }) })
  const run = approval === null ? null : await db.get(approval.run)
  // It may have been stopped meanwhile.
  if (run?.state === 'waiting') await db.patch(run._id, { state: next })
  return null
}
