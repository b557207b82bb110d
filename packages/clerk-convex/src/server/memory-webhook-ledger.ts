import { type Clock, systemClock } from '@countersign/tokens'
import { putLast } from './put-last.ts'
import type { WebhookLedger } from './webhook-ledger.ts'

/** Most ids and most objects that are remembered; the oldest go first. */
const most = 100_000

interface Seen {
  /** Unix seconds. */
  readonly keepUntil: number
  /** How far the object had come until then. */
  readonly before: number | undefined
}

/** For one process: a restart forgets, and Clerk's next attempt at an event that was handled is handled again. */
export function memoryWebhookLedger({ clock = systemClock }: { readonly clock?: Clock } = {}): WebhookLedger {
  const seen = new Map<string, Seen>()
  const latest = new Map<string, number>()
  return {
    async begin({ id, object, happenedAtMs, keepUntil }) {
      const known = seen.get(id)
      if (known !== undefined && clock.now() < known.keepUntil) return 'repeated'
      const before = latest.get(object)
      putLast(seen, id, { keepUntil, before }, most)
      if (happenedAtMs < (before ?? 0)) return 'late'
      putLast(latest, object, happenedAtMs, most)
      return 'new'
    },
    async forget({ id, object, happenedAtMs }) {
      const before = seen.get(id)?.before
      seen.delete(id)
      // What was not handled makes nothing late.
      if (latest.get(object) !== happenedAtMs) return
      if (before === undefined) latest.delete(object)
      else latest.set(object, before)
    },
  }
}
