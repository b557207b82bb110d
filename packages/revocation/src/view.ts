import type { Clock, Principal, PublicJwk } from '@countersign/tokens'
import { importPublicJwk, systemClock } from '@countersign/tokens'
import { checkPrincipal, type RevokedBy } from './check-principal.ts'
import type { FeedPosition, RevocationEntry, RevocationEvent } from './entry.ts'
import { RevocationError } from './errors.ts'
import { writeEntry } from './internal/entry-line.ts'
import { EntrySet, type EntrySetOptions } from './internal/entry-set.ts'
import { loadEntries } from './internal/load-entries.ts'
import { comparePositions } from './position-text.ts'

export interface RevocationViewOptions {
  /** Most entries kept in a Map, 0 to 1,000,000; more go into a typed table. @default 100_000 */
  readonly mapEntries?: number
  /** Most entries at all, 1 to 50,000,000. @default 5_000_000 */
  readonly maxEntries?: number
  readonly clock?: Clock
  /** Fills the key of a table's fingerprints. @default crypto.getRandomValues */
  readonly random?: (bytes: Uint8Array) => unknown
}

/** A snapshot that has been read and verified; its `count` and `digest` are its head's. */
export interface Snapshot {
  readonly position: FeedPosition
  readonly count: number
  readonly digest: string
  /** One line an entry. */
  readonly entries: Uint8Array
}

/** By how much a replica differed from a snapshot. */
export interface Drift {
  /** Entries that only one of the two had, or that differed. */
  readonly difference: number
  /** `difference` for each entry of the snapshot. */
  readonly ratio: number
}

/**
 * What changed: the entries that were added, or `undefined` when anything may have, as after a snapshot.
 * Entries that were dropped revoke nothing any more and are not told.
 */
export type RevocationListener = (added: readonly RevocationEntry[] | undefined) => void

/** What is revoked, held in memory. */
export interface RevocationView {
  /** `undefined` until the first snapshot. */
  readonly position: FeedPosition | undefined
  readonly count: number
  /** The XOR of a SipHash-2-4 (key zero) of each entry's line, as 16 hexadecimal digits. */
  readonly digest: string
  /** Memory of the entries, estimated while they are in a Map. */
  readonly bytes: number
  /**
   * By what a principal is revoked, if it is: its key, a generation (global, its client and each actor's, its subject),
   * its session, itself or a token that it was exchanged from, in this order.
   */
  check(principal: Principal): RevokedBy | undefined
  isRevoked(principal: Principal): boolean
  isKeyRevoked(kid: string): boolean
  /** A key that the feed named as successor within the last hour, unless it is revoked itself. */
  successor(kid: string): PublicJwk | undefined
  /** The ids of such keys. */
  successors(): readonly string[]
  /**
   * Replaces everything by a snapshot, but never takes the revocation of a key back. While it is read, in turns of some
   * milliseconds, the old entries are in force.
   *
   * @param compare whether to count by how much the entries held until then differ
   * @throws RevocationError `bad_message` where it is not what its head says, `too_large`, `replayed` for a lower position
   */
  load(snapshot: Snapshot, compare?: boolean): Promise<Drift | undefined>
  /**
   * Applies what is new among the events; a repeated one is passed over.
   *
   * @returns how many were new
   * @throws RevocationError `gap` where events are missing before them or the epoch is another, `too_large`. What a
   * listener throws comes out after everything is done.
   */
  apply(epoch: number, events: readonly RevocationEvent[]): number
  onChange(call: RevocationListener): () => void
}

/** How long a named successor is good without the JWKS: no reader of ours keeps a JWKS for longer. */
const successorMs = 3_600_000

export function createRevocationView(options: RevocationViewOptions = {}): RevocationView {
  const { clock = systemClock } = options
  const mapEntries = bounded('mapEntries', options.mapEntries ?? 100_000, 0, 1_000_000)
  const maxEntries = bounded('maxEntries', options.maxEntries ?? 5_000_000, 1, 50_000_000)
  const setOptions: EntrySetOptions = { mapEntries, newKey: () => newKey(options.random) }
  const listeners = new Set<RevocationListener>()
  /** Keys that a later snapshot did not name any more, as after a restored backup: they stay revoked. */
  const keptKeys = new Set<string>()
  const successors = new Map<string, { readonly jwk: PublicJwk; readonly atMs: number; readonly at: number }>()
  let set = new EntrySet(setOptions)
  let position: FeedPosition | undefined
  let loads = 0

  const isKeyRevoked = (kid: string): boolean => set.keys.has(kid) || keptKeys.has(kid)

  const learn = (jwk: PublicJwk): void => {
    const known = successors.get(jwk.kid)
    if (known !== undefined) return
    try {
      successors.set(jwk.kid, { jwk: importPublicJwk(jwk), atMs: clock.monotonicMs(), at: clock.now() })
    } catch {
      // A successor of a kind that is of no use here: the revocation itself counts all the same.
    }
  }
  const successor = (kid: string): PublicJwk | undefined => {
    const known = successors.get(kid)
    if (known === undefined || isKeyRevoked(kid)) return undefined
    const ageMs = Math.max(clock.monotonicMs() - known.atMs, (clock.now() - known.at) * 1000)
    return ageMs < successorMs ? known.jwk : undefined
  }
  const tell = (added: readonly RevocationEntry[] | undefined): void => {
    const faults: unknown[] = []
    for (const call of [...listeners]) {
      try {
        call(added)
      } catch (fault) {
        faults.push(fault)
      }
    }
    if (faults.length > 0) throw faults.length === 1 ? faults[0] : new AggregateError(faults, 'Listeners failed.')
  }

  return {
    get position() {
      return position
    },
    get count() {
      return set.count
    },
    get digest() {
      return set.digest
    },
    get bytes() {
      return set.bytes
    },
    check: (principal) => checkPrincipal(principal, set, isKeyRevoked),
    isRevoked: (principal) => checkPrincipal(principal, set, isKeyRevoked) !== undefined,
    isKeyRevoked,
    successor,
    successors: () => [...successors.keys()].filter((kid) => successor(kid) !== undefined),
    async load(snapshot, compare = false) {
      const load = ++loads
      if (snapshot.count > maxEntries)
        throw new RevocationError('too_large', 'The snapshot has more than "maxEntries".')
      const before = set
      let same = 0
      const each = compare ? (entry: RevocationEntry) => void (before.holds(entry) && same++) : undefined
      const next = await loadEntries(snapshot.entries, { ...setOptions, expected: snapshot.count }, each)
      if (next.count !== snapshot.count || next.digest !== snapshot.digest) {
        throw new RevocationError('bad_message', 'The entries of the snapshot are not those that its head counts.')
      }
      if (load !== loads || (position !== undefined && comparePositions(snapshot.position, position) < 0)) {
        throw new RevocationError('replayed', 'The snapshot is older than what is held.')
      }
      const difference = next.count - same + before.count - same
      for (const kid of set.keys.keys()) if (!next.keys.has(kid)) keptKeys.add(kid)
      set = next
      position = snapshot.position
      for (const { successor: jwk } of set.keys.values()) if (jwk !== undefined) learn(jwk)
      tell(undefined)
      return compare ? { difference, ratio: difference / Math.max(1, snapshot.count) } : undefined
    },
    apply(epoch, events) {
      if (position === undefined || position.epoch !== epoch) {
        throw new RevocationError('gap', 'The events are of another life of the feed.')
      }
      const { seq } = position
      const fresh = events.filter((event) => event.seq > seq)
      if (fresh.some((event, index) => event.seq !== seq + 1 + index)) {
        throw new RevocationError('gap', 'Events are missing.')
      }
      const added = fresh.filter(({ change }) => change === 'add').map(({ entry }) => entry)
      if (set.count + added.length > maxEntries) {
        throw new RevocationError('too_large', 'There are more entries than "maxEntries".')
      }
      // All of them or none: an entry that cannot be written must not stop half way.
      for (const entry of added) writeEntry(entry)
      for (const { seq: done, change, entry } of fresh) {
        if (change === 'add') set.add(entry)
        else if (entry.type !== 'kid') set.remove(entry)
        if (change === 'add' && entry.type === 'kid' && entry.successor !== undefined) learn(entry.successor)
        position = { epoch, seq: done }
      }
      if (added.length > 0) tell(added)
      return fresh.length
    },
    onChange(call) {
      // An entry of its own: the same function may be given twice.
      const listener: RevocationListener = (added) => call(added)
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

function newKey(random: RevocationViewOptions['random']): Int32Array {
  const bytes = new Uint8Array(16)
  if (random === undefined) crypto.getRandomValues(bytes)
  else random(bytes)
  return new Int32Array(bytes.buffer)
}

function bounded(name: string, value: number, least: number, most: number): number {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value
  throw new RevocationError('bad_option', `"${name}" is a whole number from ${least} to ${most}.`)
}
