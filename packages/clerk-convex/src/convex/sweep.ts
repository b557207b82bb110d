import type { Scheduler } from 'convex/server'
import { makeFunctionReference } from 'convex/server'
import { authWriter, type RawMutationContext } from './contexts.ts'
import type { Setting } from './options.ts'

/** Rows of one table that one transaction deletes. */
const atOnce = 200

const daySeconds = 86_400
/** After a delivery's last attempt, by Svix's schedule about 28 hours. */
const webhookSeconds = 3 * daySeconds
/** A proof is too old long before; no clock of a deployment is this far off another. */
const proofSeconds = 600
/** A code that is asked for after its end is still told apart from one that never was. */
const pairingSeconds = daySeconds
const wrongCodeSeconds = 3_600

export interface Swept {
  deleted: number
  /** Whether there was more than one transaction's worth: the next one is then under way. */
  more: boolean
}

/** Deletes what has had its time, table by table, and calls itself until nothing is left. */
export function sweeper(setting: Setting): (ctx: RawMutationContext) => Promise<Swept> {
  return async (ctx) => {
    const now = setting.now()
    const db = authWriter(ctx.db)
    const before = (seconds: number): number => now - seconds
    const ended: readonly (readonly { readonly _id: Parameters<typeof db.delete>[0] }[])[] = [
      await db
        .query('authWebhooks')
        .withIndex('by_received', (q) => q.lt('receivedAt', before(webhookSeconds) * 1_000))
        .take(atOnce),
      ...(setting.auditDays === undefined
        ? []
        : [
            await db
              .query('authAudit')
              .withIndex('by_time', (q) => q.lt('at', before((setting.auditDays ?? 0) * daySeconds) * 1_000))
              .take(atOnce),
          ]),
      ...(setting.hasRunners
        ? [
            await db
              .query('authUsedProofs')
              .withIndex('by_end', (q) => q.lt('until', before(proofSeconds)))
              .take(atOnce),
            await db
              .query('authRunnerPairings')
              .withIndex('by_start', (q) => q.lt('startedAt', before(pairingSeconds)))
              .take(atOnce),
            await db
              .query('authRunnerWrongCodes')
              .withIndex('by_at', (q) => q.lt('at', before(wrongCodeSeconds)))
              .take(atOnce),
          ]
        : []),
    ]
    for (const { _id } of ended.flat()) await db.delete(_id)
    const more = ended.some((rows) => rows.length === atOnce)
    if (more) await goOn(ctx.scheduler, setting)
    return { deleted: ended.flat().length, more }
  }
}

async function goOn(scheduler: Scheduler, { module }: Setting): Promise<void> {
  const sweep = makeFunctionReference<'mutation', Record<string, never>, Swept>(`${module}:sweep`)
  await scheduler.runAfter(0, sweep, {})
}
