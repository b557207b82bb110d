import { internalMutation } from './_generated/server.js'

const day = 86_400_000
/** A few transactions' worth; the rest goes an hour later. */
const mostAtOnce = 500

/** Webhook ids that Clerk does not send again (three days), and lines of runs that nobody reads (thirty). */
export const all = internalMutation({
  args: {},
  handler: async ({ db }) => {
    const now = Date.now()
    const webhooks = await db
      .query('authWebhooks')
      .withIndex('by_received', (q) => q.lt('receivedAt', now - 3 * day))
      .take(mostAtOnce)
    const lines = await db
      .query('lines')
      .withIndex('by_creation_time', (q) => q.lt('_creationTime', now - 30 * day))
      .take(mostAtOnce)
    for (const { _id } of [...webhooks, ...lines]) await db.delete(_id)
    return webhooks.length + lines.length
  },
})
