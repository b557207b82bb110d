import type { RevocationEntry } from '@countersign/revocation'
import type { Actor, Clock, Principal } from '@countersign/tokens'
import type { PrincipalEnd } from './guard.ts'
import type { Availability } from './staleness.ts'

/**
 * Timers run on a clock that stands still while a machine sleeps and does not follow a corrected wall clock,
 * so the end is looked up again at least this often.
 */
const longestTurnMs = 30_000

export interface Watch {
  readonly principal: Principal
  readonly availability: Availability | undefined
  readonly onEnd: (end: PrincipalEnd) => void
  cancelTimer: () => void
}

export interface Watches {
  add(principal: Principal, onEnd: (end: PrincipalEnd) => void, availability?: Availability): () => void
  /** Looks again at those whom the entries may concern; without entries, at every one. */
  check(entries?: readonly RevocationEntry[]): void
  clear(): void
}

type IndexedType = Exclude<RevocationEntry['type'], 'global'>

/** Principals that somebody wants to be told the end of. `endOf` says whether one has ended, and why. */
export function createWatches(clock: Clock, endOf: (watch: Watch) => PrincipalEnd | undefined): Watches {
  const watches = new Set<Watch>()
  const indexes: Readonly<Record<IndexedType, WatchIndex>> = {
    jti: new WatchIndex(),
    sid: new WatchIndex(),
    kid: new WatchIndex(),
    client: new WatchIndex(),
    subject: new WatchIndex(),
  }

  const remove = (watch: Watch): void => {
    if (!watches.delete(watch)) return
    eachName(watch.principal, (type, id) => indexes[type].remove(id, watch))
    watch.cancelTimer()
  }
  const look = (watch: Watch): void => {
    if (!watches.has(watch)) return
    watch.cancelTimer()
    const end = endOf(watch)
    if (end !== undefined) {
      remove(watch)
      watch.onEnd(end)
      return
    }
    const leftMs = Math.ceil((watch.principal.expiresAt - clock.now()) * 1000)
    watch.cancelTimer = clock.after(Math.max(1, Math.min(leftMs, longestTurnMs)), () => look(watch))
  }
  const concerned = (entries: readonly RevocationEntry[] | undefined): Iterable<Watch> => {
    if (entries === undefined) return [...watches]
    const found = new Set<Watch>()
    for (const entry of entries) {
      if (entry.type === 'global') return [...watches]
      for (const watch of indexes[entry.type].get(entry.id)) found.add(watch)
    }
    return found
  }

  return {
    add(principal, onEnd, availability) {
      const watch: Watch = { principal, availability, onEnd, cancelTimer: () => {} }
      // Registered first and checked after: what is revoked in between is seen by one of the two.
      watches.add(watch)
      eachName(principal, (type, id) => indexes[type].add(id, watch))
      queueMicrotask(() => look(watch))
      return () => remove(watch)
    },
    check(entries) {
      const faults: unknown[] = []
      for (const watch of concerned(entries)) {
        try {
          look(watch)
        } catch (fault) {
          // One faulty callback must not keep the other principals' connections open.
          faults.push(fault)
        }
      }
      if (faults.length > 0) throw faults.length === 1 ? faults[0] : new AggregateError(faults, 'Watchers failed.')
    },
    clear() {
      for (const watch of [...watches]) remove(watch)
    },
  }
}

/** Every name that an entry may revoke the principal by, but for the global generation. */
function eachName(principal: Principal, call: (type: IndexedType, id: string) => void): void {
  const { keyId, subject, clientId, session, tokenId, ancestors, actor, via } = principal
  call('kid', keyId)
  call('subject', subject)
  if (clientId !== undefined) call('client', clientId)
  for (let one: Actor | undefined = actor; one !== undefined; one = one.actor)
    call('client', one.clientId ?? one.subject)
  if (session !== undefined) call('sid', session)
  if (tokenId !== undefined) call('jti', tokenId)
  for (const id of ancestors) call('jti', id)
  if (via === undefined) return
  // Of which kind each is, nobody says: no two kinds share an id.
  for (const id of via) for (const type of kindsOfVia) call(type, id)
}

const kindsOfVia = ['client', 'subject', 'sid', 'jti'] as const

/** Most names have one watch, so that one is held without a Set. */
class WatchIndex {
  readonly #byId: Map<string, Watch | Set<Watch>> = new Map()

  get(id: string): Iterable<Watch> {
    const held = this.#byId.get(id)
    return held === undefined ? [] : held instanceof Set ? held : [held]
  }

  add(id: string, watch: Watch): void {
    const held = this.#byId.get(id)
    if (held === undefined) this.#byId.set(id, watch)
    else if (held instanceof Set) held.add(watch)
    else if (held !== watch) this.#byId.set(id, new Set([held, watch]))
  }

  remove(id: string, watch: Watch): void {
    const held = this.#byId.get(id)
    if (held instanceof Set) {
      held.delete(watch)
      if (held.size === 0) this.#byId.delete(id)
    } else if (held === watch) this.#byId.delete(id)
  }
}
