import type { PublicJwk } from '@countersign/tokens'
import type { RevocationEntry } from '../entry.ts'
import { SetDigest } from './digest.ts'
import { letters, longestLine, writeEntry } from './entry-line.ts'
import { absent, type EntryStore, type Kind } from './entry-store.ts'
import { FingerprintTable } from './fingerprint-table.ts'
import { IdMap } from './id-map.ts'

/** Entries moved with each change while a Map turns into a table. */
const movedAtOnce = 32

export interface EntrySetOptions {
  /** Most entries kept in a Map; more go into a table. */
  readonly mapEntries: number
  /** 16 random bytes. */
  readonly newKey: () => Int32Array
  /** How many are to come, if that is known. */
  readonly expected?: number
}

interface KeyEntry {
  readonly line: string
  readonly successor: PublicJwk | undefined
}

interface GlobalEntry {
  readonly min: number
  readonly until: number
}

/** The entries in force, with their count and digest. */
export class EntrySet {
  readonly keys: Map<string, KeyEntry> = new Map()
  everybody: GlobalEntry | undefined
  readonly #options: EntrySetOptions
  readonly #digest = new SetDigest()
  readonly #encoder = new TextEncoder()
  readonly #scratch = new Uint8Array(longestLine)
  #store: EntryStore
  /** What was kept in a Map and moves into the table, a little with each change. */
  #leaving: IdMap | undefined
  readonly #counts: Record<Kind, number> = { j: 0, s: 0, c: 0, u: 0 }

  constructor(options: EntrySetOptions) {
    const { mapEntries, newKey, expected = 0 } = options
    this.#options = options
    this.#store = expected > mapEntries ? new FingerprintTable(newKey(), expected) : new IdMap()
  }

  get count(): number {
    return this.#size + this.keys.size + (this.everybody === undefined ? 0 : 1)
  }

  get digest(): string {
    return this.#digest.toString()
  }

  get bytes(): number {
    return this.#store.bytes + (this.#leaving?.bytes ?? 0)
  }

  get #size(): number {
    return this.#store.size + (this.#leaving?.size ?? 0)
  }

  /** The lowest generation of this id that is still good, 0 for what is revoked by its id; −1 without an entry. */
  minOf(kind: Kind, id: string): number {
    if (this.#counts[kind] === 0) return absent
    const min = this.#store.minOf(kind, id)
    return min === absent && this.#leaving !== undefined ? this.#leaving.minOf(kind, id) : min
  }

  /** True if this very entry is in force. */
  holds(entry: RevocationEntry): boolean {
    const { type } = entry
    if (type === 'kid') return this.keys.get(entry.id)?.line === writeEntry(entry)
    if (type === 'global') return this.everybody?.min === entry.minGeneration && this.everybody.until === entry.until
    const kind = letters[type]
    const min = 'minGeneration' in entry ? entry.minGeneration : 0
    return this.minOf(kind, entry.id) === min && this.#untilOf(kind, entry.id) === entry.until
  }

  add(entry: RevocationEntry): void {
    // Written first, so that an entry that cannot be written takes none away.
    const line = writeEntry(entry)
    this.remove(entry)
    this.#toggle(line)
    if (entry.type === 'kid') this.keys.set(entry.id, { line, successor: entry.successor })
    else if (entry.type === 'global') this.everybody = { min: entry.minGeneration, until: entry.until }
    else {
      const kind = letters[entry.type]
      this.#counts[kind] += 1
      this.#store.put(kind, entry.id, 'minGeneration' in entry ? entry.minGeneration : 0, entry.until)
      this.#move()
    }
  }

  /** Removes whatever has this type and id. */
  remove(entry: RevocationEntry): void {
    if (entry.type === 'kid') {
      const held = this.keys.get(entry.id)
      if (held !== undefined) this.#toggle(held.line)
      this.keys.delete(entry.id)
    } else if (entry.type === 'global') {
      const held = this.everybody
      if (held !== undefined) this.#toggle(`g\t\t${held.min}\t${held.until}`)
      this.everybody = undefined
    } else this.#remove(letters[entry.type], entry.id)
  }

  /** An entry of a snapshot, already read; false if its type and id were there before. */
  addLine(line: Uint8Array, start: number, idEnd: number, end: number, min: number, until: number): boolean {
    if (!this.#store.putLine(line, start, idEnd, min, until)) return false
    this.#counts[String.fromCharCode(line[start] ?? 0) as Kind] += 1
    this.#digest.toggle(line, start, end)
    return true
  }

  #remove(kind: Kind, id: string): void {
    const until = this.#untilOf(kind, id)
    if (until === absent) return
    const generation = kind === 'c' || kind === 'u' ? `${this.minOf(kind, id)}\t` : ''
    this.#toggle(`${kind}\t${id}\t${generation}${until}`)
    this.#counts[kind] -= 1
    if (!this.#store.delete(kind, id)) this.#leaving?.delete(kind, id)
    this.#move()
  }

  #untilOf(kind: Kind, id: string): number {
    const until = this.#store.untilOf(kind, id)
    return until === absent && this.#leaving !== undefined ? this.#leaving.untilOf(kind, id) : until
  }

  #toggle(line: string): void {
    const { written } = this.#encoder.encodeInto(line, this.#scratch)
    this.#digest.toggle(this.#scratch, 0, written)
  }

  #move(): void {
    if (this.#store instanceof IdMap && this.#store.size > this.#options.mapEntries) {
      this.#leaving = this.#store
      this.#store = new FingerprintTable(this.#options.newKey(), this.#leaving.size)
    }
    this.#leaving?.moveTo(this.#store, movedAtOnce)
    if (this.#leaving?.size === 0) this.#leaving = undefined
  }
}
