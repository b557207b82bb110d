import { internalMutation } from './_generated/server.js'

const thirtyDaysMs = 30 * 86_400_000
/** A transaction's worth; the rest goes an hour later. */
const mostAtOnce = 500

/** Lines of runs that nobody reads any more. What the package keeps is swept by its own. */
export const lines = internalMutation({
  args: {},
  handler: async ({ db }) => {
    const old = await db
      .query('lines')
      .withIndex('by_creation_time', (q) => q.lt('_creationTime', Date.now() - thirtyDaysMs))
      .take(mostAtOnce)
    for (const { _id } of old) await db.delete(_id)
    return old.length
  },
})
