import type { RevocationEntry } from '@countersign/revocation'
import type { Actor, Clock, Principal } from '@countersign/tokens'
import type { GuardEvent } from './events.ts'
import { ExpiryHeap } from './expiry-heap.ts'
import type { PrincipalEnd } from './guard.ts'
import type { Availability } from './staleness.ts'
import { WatchIndex } from './watch-index.ts'

/**
 * Timers run on a clock that stands still while a machine sleeps and does not follow a corrected wall clock,
 * so the ends are looked up again at least this often.
 */
const longestTurnMs = 30_000

export interface Watch {
  readonly principal: Principal
  readonly availability: Availability | undefined
  readonly onEnd: (end: PrincipalEnd) => void
  /** Its place among those who wait; −1 once it waits no more. */
  place: number
}

export interface Watches {
  add(principal: Principal, onEnd: (end: PrincipalEnd) => void, availability?: Availability): () => void
  /** Looks again at those whom the entries may concern; without entries, at every one. */
  check(entries?: readonly RevocationEntry[]): void
  clear(): void
}

type IndexedType = Exclude<RevocationEntry['type'], 'global' | 'kid'>

/**
 * Principals that somebody wants to be told the end of. `endOf` says whether one has ended, and why.
 * Services watch tens of thousands: one timer for all of them, and few objects for each.
 */
export function createWatches(
  clock: Clock,
  endOf: (watch: Watch) => PrincipalEnd | undefined,
  onEvent?: (event: GuardEvent) => void,
): Watches {
  const waiting = new ExpiryHeap<Watch>()
  /** One of a type is made when its first entry comes: each takes 50 bytes of every watch, and some are never asked. */
  const indexes: Partial<Record<IndexedType, WatchIndex<Watch>>> = {}
  let armedForMs = Number.POSITIVE_INFINITY
  let disarm = (): void => {}

  const remove = (watch: Watch): void => {
    if (watch.place < 0) return
    waiting.remove(watch)
    eachName(watch.principal, (type, id) => indexes[type]?.remove(id, watch))
    if (waiting.first !== undefined) return
    disarm()
    armedForMs = Number.POSITIVE_INFINITY
  }
  /** Bound to its watch: a closure would take twice as much of every watch. */
  function stop(this: Watch): void {
    remove(this)
  }
  const look = (watch: Watch): void => {
    if (watch.place < 0) return
    const end = endOf(watch)
    if (end === undefined) return
    remove(watch)
    try {
      onEvent?.({ type: 'ended', reason: end.reason })
    } finally {
      // An observer's fault must not keep a connection open.
      watch.onEnd(end)
    }
  }
  const lookAtAll = (watches: Iterable<Watch>): void => {
    const faults: unknown[] = []
    for (const watch of watches) {
      try {
        look(watch)
      } catch (fault) {
        // One faulty callback must not keep the other principals' connections open.
        faults.push(fault)
      }
    }
    if (faults.length > 0) throw faults.length === 1 ? faults[0] : new AggregateError(faults, 'Watchers failed.')
  }
  /** A timer that fires early finds nobody and is set again: cheaper than moving it with every watch that ends. */
  const arm = (): void => {
    const { first } = waiting
    if (first === undefined) return
    const leftMs = Math.ceil((first.principal.expiresAt - clock.now()) * 1000)
    const turnMs = Math.max(1, Math.min(leftMs, longestTurnMs))
    const dueMs = clock.monotonicMs() + turnMs
    if (dueMs >= armedForMs) return
    disarm()
    armedForMs = dueMs
    disarm = clock.after(turnMs, () => {
      armedForMs = Number.POSITIVE_INFINITY
      try {
        lookAtAll(waiting.until(clock.now()))
      } finally {
        arm()
      }
    })
  }
  const indexOf = (wanted: IndexedType): WatchIndex<Watch> => {
    const held = indexes[wanted]
    if (held !== undefined) return held
    const made = new WatchIndex<Watch>()
    for (const watch of waiting.all()) {
      eachName(watch.principal, (type, id) => {
        if (type === wanted) made.add(id, watch)
      })
    }
    indexes[wanted] = made
    return made
  }
  const concerned = (entries: readonly RevocationEntry[] | undefined): Iterable<Watch> => {
    if (entries === undefined) return waiting.all()
    const found = new Set<Watch>()
    for (const entry of entries) {
      if (entry.type === 'global') return waiting.all()
      // A revoked key is rare, and concerns nearly everybody: no index is kept for it.
      const few = entry.type === 'kid' ? waiting.all().filter(hasKey(entry.id)) : indexOf(entry.type).get(entry.id)
      for (const watch of few) found.add(watch)
    }
    return found
  }

  return {
    add(principal, onEnd, availability) {
      const watch: Watch = { principal, availability, onEnd, place: -1 }
      // Registered first and checked after: what is revoked in between is seen by one of the two.
      waiting.add(watch)
      eachName(principal, (type, id) => indexes[type]?.add(id, watch))
      queueMicrotask(() => look(watch))
      arm()
      return stop.bind(watch)
    },
    check: (entries) => lookAtAll(concerned(entries)),
    clear() {
      for (const watch of waiting.all()) remove(watch)
    },
  }
}

const hasKey = (keyId: string) => (watch: Watch) => watch.principal.keyId === keyId

/** Every name that an entry may revoke the principal by, but for its key and the global generation. */
function eachName(principal: Principal, call: (type: IndexedType, id: string) => void): void {
  const { subject, clientId, session, tokenId, ancestors, actor, via } = principal
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
