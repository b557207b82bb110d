import { type Clock, systemClock } from '@countersign/tokens'
import type { WebhookLedger } from './webhook-ledger.ts'

/** Most ids and most objects that are remembered; the oldest go first. */
const most = 100_000

/** For one process: a restart forgets, and Clerk's next attempt at an event that was handled is handled again. */
export function memoryWebhookLedger({ clock = systemClock }: { readonly clock?: Clock } = {}): WebhookLedger {
  const keptUntil = new Map<string, number>()
  const latest = new Map<string, number>()
  return {
    async begin({ id, object, happenedAtMs, keepUntil }) {
      const until = keptUntil.get(id)
      if (until !== undefined && clock.now() < until) return 'repeated'
      put(keptUntil, id, keepUntil)
      if (happenedAtMs < (latest.get(object) ?? 0)) return 'late'
      put(latest, object, happenedAtMs)
      return 'new'
    },
    async forget({ id }) {
      keptUntil.delete(id)
    },
  }
}

/** At the end of the map, whatever was there before. */
function put(map: Map<string, number>, key: string, value: number): void {
  map.delete(key)
  const [oldest] = map.keys()
  if (map.size >= most && oldest !== undefined) map.delete(oldest)
  map.set(key, value)
}
