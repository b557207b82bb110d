import type { AcknowledgementStore, RevocationEntry, RevocationEvent, RevocationLog } from '@countersign/revocation'
import type { IssuerStores, Party } from '../ports.ts'
import { copy, type MemoryState } from './memory-state.ts'

const keptSeconds = 3_600
const mostInstances = 1_000

const keyOf = (type: RevocationEntry['type'], id = ''): string => `${type} ${id}`
const keyOfEntry = (entry: RevocationEntry): string => keyOf(entry.type, 'id' in entry ? entry.id : '')
const untilOf = (entry: RevocationEntry): number => ('until' in entry ? entry.until : Number.POSITIVE_INFINITY)

function change(state: MemoryState, kind: RevocationEvent['change'], entry: RevocationEntry, at: number): void {
  state.log.seq += 1
  state.log.events.push({ seq: state.log.seq, change: kind, entry, at })
  for (const call of state.log.watchers) queueMicrotask(call)
}

/** Both together: nothing that was revoked is taken back by a weaker word that comes later. */
function merge(held: RevocationEntry | undefined, given: RevocationEntry): RevocationEntry {
  if (held === undefined) return given
  if (held.type === 'kid') return 'successor' in held || given.type !== 'kid' ? held : given
  const until = Math.max(held.until, untilOf(given))
  if ('minGeneration' in held && 'minGeneration' in given) {
    return { ...held, until, minGeneration: Math.max(held.minGeneration, given.minGeneration) }
  }
  return { ...held, until }
}

/** Nothing happens if it is held already. */
export function appendEntry(state: MemoryState, given: RevocationEntry, now: number): void {
  const entry = copy(given)
  const held = state.log.entries.get(keyOfEntry(entry))
  const merged = merge(held, entry)
  if (held !== undefined && JSON.stringify(held) === JSON.stringify(merged)) return
  state.log.entries.set(keyOfEntry(entry), merged)
  change(state, 'add', merged, now)
}

export function memoryRevocationLog(state: MemoryState, now: () => number): RevocationLog {
  const { log } = state
  const look = () => ({ position: { epoch: log.epoch, seq: log.seq }, readAt: now() })
  return {
    async snapshot() {
      return { ...look(), entries: structuredClone([...log.entries.values()]) }
    },
    async after(seq, limit) {
      const events = log.events.filter((event) => event.seq > seq)
      if (seq > log.seq || (seq < log.seq && events[0]?.seq !== seq + 1)) return undefined
      const page = events.slice(0, Math.max(0, limit)).map(({ at: _, ...event }) => event)
      return { ...look(), events: structuredClone(page) }
    },
    async append(entries, at) {
      for (const entry of entries) appendEntry(state, entry, at)
      return look().position
    },
    async dropExpired(at, limit) {
      const over = [...log.entries.values()]
        .filter((entry) => untilOf(entry) < at)
        .sort((a, b) => untilOf(a) - untilOf(b))
        .slice(0, Math.max(0, limit))
      for (const entry of over) {
        log.entries.delete(keyOfEntry(entry))
        change(state, 'drop', entry, at)
      }
      log.events = log.events.filter((event) => event.at >= at - keptSeconds)
      return over.length
    },
    onChange(call) {
      const watcher = (): void => call()
      log.watchers.add(watcher)
      return () => void log.watchers.delete(watcher)
    },
  }
}

export function memoryAcknowledgements(): AcknowledgementStore {
  const held = new Map<string, Awaited<ReturnType<AcknowledgementStore['live']>>[number]>()
  return {
    async put(acknowledgement, now) {
      const { consumer, instance } = acknowledgement
      held.set(JSON.stringify([consumer, instance]), { ...copy(acknowledgement), at: now })
      const others = [...held].filter(([, one]) => one.consumer === consumer).sort(([, a], [, b]) => b.at - a.at)
      for (const [key] of others.slice(mostInstances)) held.delete(key)
    },
    async live(now, liveSeconds) {
      return structuredClone([...held.values()].filter((one) => one.at >= now - liveSeconds))
    },
  }
}

/** As the log has it: nobody of them has a row. */
export function foreignEnd(state: MemoryState, foreign: readonly Party[]): 'session_ended' | 'party_ended' | undefined {
  for (const { id, generation } of foreign) {
    if (state.log.entries.has(keyOf('sid', id))) return 'session_ended'
    const entry = state.log.entries.get(keyOf('subject', id))
    if (entry !== undefined && 'minGeneration' in entry && generation < entry.minGeneration) return 'party_ended'
  }
  return undefined
}

export function unrevoked(
  state: MemoryState,
  { now, until, skewSeconds, limit }: Parameters<IssuerStores['unrevoked']>[0],
): RevocationEntry[] {
  const has = (type: RevocationEntry['type'], id?: string): boolean => state.log.entries.has(keyOf(type, id))
  const isOutdated = (type: 'subject' | 'client' | 'global', generation: number, id?: string): boolean => {
    const entry = state.log.entries.get(keyOf(type, id))
    return entry !== undefined && 'minGeneration' in entry && entry.minGeneration > generation
  }
  const missing: RevocationEntry[] = []
  for (const { session, issuedUntil } of state.sessions.values()) {
    if (session.endedAt === null || issuedUntil + skewSeconds < now || has('sid', session.id)) continue
    const [global, client, user] = session.generations
    if (isOutdated('global', global) || isOutdated('client', client, session.clientId)) continue
    if (!isOutdated('subject', user, session.userId)) missing.push({ type: 'sid', id: session.id, until })
  }
  for (const { issued, revokedAt } of state.issued.values()) {
    if (revokedAt === null || issued.expiresAt + skewSeconds < now || has('jti', issued.jti)) continue
    missing.push({ type: 'jti', id: issued.jti, until })
  }
  for (const [type, rows] of [['subject', state.users] as const, ['client', state.clients] as const]) {
    for (const { id, generation, disabledAt } of rows.values()) {
      if (disabledAt === null || disabledAt < now - (until - now) || generation === 0) continue
      if (isOutdated(type, generation - 1, id)) continue
      missing.push({ type, id, minGeneration: generation, until })
    }
  }
  return missing.slice(0, Math.max(0, limit))
}
