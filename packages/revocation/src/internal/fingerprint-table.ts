import { absent, type EntryStore, type Kind, longestIdBytes } from './entry-store.ts'
import { hashHigh, hashLow, sipHash } from './sip-hash.ts'

/**
 * Each grows alone, so that no growth stops the process for long: 6 ms among a million entries, 30 among 5 million. Few, so
 * that finding one's way to a slot takes nothing out of a processor's cache.
 */
const segmentCount = 32
/** Words of a slot: fingerprint (high, low), min, until. */
const slotWords = 4
const fewestSlots = 16
/** Part of the slots in use at which a segment grows, and by how much: 23 to 34 bytes an entry. */
const fullest = 0.75
const growth = 1.5

interface Segment {
  /** Of each slot eight bits of its fingerprint, never 0; 0: the slot is free. */
  tags: Uint8Array
  words: Uint32Array
  slots: number
  used: number
}

const encoder = new TextEncoder()

/**
 * Entries by a 64-bit fingerprint of kind and id (SipHash-2-4 under a random key of the table's own), in open-addressed
 * typed arrays: 17 bytes a slot. Two ids fall together with a chance of n × 2^-64 a look-up.
 *
 * Memory is what a look-up waits for, so it searches a byte for each slot: those of a million entries fit into a
 * processor's cache, and what is not revoked is hardly ever looked for anywhere else.
 */
export class FingerprintTable implements EntryStore {
  readonly #key: Int32Array
  readonly #segments: Segment[]
  readonly #scratch: Uint8Array = new Uint8Array(2 + longestIdBytes)
  /** Where the id goes in it. */
  readonly #scratchId: Uint8Array = this.#scratch.subarray(2)
  #size = 0

  constructor(key: Int32Array, expected = 0) {
    this.#key = key
    const slots = Math.max(fewestSlots, Math.ceil(expected / segmentCount / (fullest * 0.9)))
    this.#segments = Array.from({ length: segmentCount }, () => newSegment(slots))
  }

  get size(): number {
    return this.#size
  }

  get bytes(): number {
    return this.#segments.reduce((sum, { tags, words }) => sum + tags.byteLength + words.byteLength, 0)
  }

  minOf(kind: Kind, id: string): number {
    return this.#read(kind, id, 2)
  }

  untilOf(kind: Kind, id: string): number {
    return this.#read(kind, id, 3)
  }

  put(kind: Kind, id: string, min: number, until: number): void {
    sipHash(this.#key, this.#scratch, 0, this.#write(kind, id))
    this.#put(hashHigh, hashLow, min, until, true)
  }

  putLine(line: Uint8Array, start: number, end: number, min: number, until: number): boolean {
    sipHash(this.#key, line, start, end)
    return this.#put(hashHigh, hashLow, min, until, false)
  }

  delete(kind: Kind, id: string): boolean {
    const end = this.#write(kind, id)
    if (end < 0) return false
    sipHash(this.#key, this.#scratch, 0, end)
    const segment = this.#segmentOf(hashLow)
    const slot = find(segment, hashHigh, hashLow)
    if (segment.tags[slot] === 0) return false
    removeSlot(segment, slot)
    segment.used -= 1
    this.#size -= 1
    return true
  }

  #read(kind: Kind, id: string, word: number): number {
    const end = this.#write(kind, id)
    if (end < 0) return absent
    sipHash(this.#key, this.#scratch, 0, end)
    const segment = this.#segmentOf(hashLow)
    const slot = find(segment, hashHigh, hashLow)
    return segment.tags[slot] === 0 ? absent : (segment.words[slot * slotWords + word] ?? absent)
  }

  #put(high: number, low: number, min: number, until: number, replaces: boolean): boolean {
    const segment = this.#segmentOf(low)
    if (segment.used + 1 > segment.slots * fullest) grow(segment)
    const slot = find(segment, high, low)
    const isNew = segment.tags[slot] === 0
    if (!isNew && !replaces) return false
    const at = slot * slotWords
    segment.tags[slot] = tagOf(low)
    segment.words[at] = high
    segment.words[at + 1] = low
    segment.words[at + 2] = min
    segment.words[at + 3] = until
    if (isNew) {
      segment.used += 1
      this.#size += 1
    }
    return true
  }

  #segmentOf(low: number): Segment {
    // The low byte chooses the segment, the next one is the tag; the high word chooses the slot within.
    return this.#segments[low & (segmentCount - 1)] as Segment
  }

  /** Writes kind, tab, id in UTF-8; −1 for an id that no entry can have. */
  #write(kind: Kind, id: string): number {
    const scratch = this.#scratch
    if (id.length * 3 > longestIdBytes) return -1
    scratch[0] = kind.charCodeAt(0)
    scratch[1] = 0x09
    return 2 + encoder.encodeInto(id, this.#scratchId).written
  }
}

function newSegment(slots: number): Segment {
  return { tags: new Uint8Array(slots), words: new Uint32Array(slots * slotWords), slots, used: 0 }
}

/** Where an entry belongs if nothing is in its way. */
function home(high: number, slots: number): number {
  return Math.floor((high / 0x1_0000_0000) * slots)
}

function tagOf(low: number): number {
  return (low >>> 8) & 0xff || 1
}

/** The slot of this fingerprint, or the free one where it would go. */
function find({ tags, words, slots }: Segment, high: number, low: number): number {
  const tag = tagOf(low)
  let slot = home(high, slots)
  for (;;) {
    const held = tags[slot]
    if (held === 0) return slot
    if (held === tag && words[slot * slotWords] === high && words[slot * slotWords + 1] === low) return slot
    slot = slot + 1 === slots ? 0 : slot + 1
  }
}

function grow(segment: Segment): void {
  const { tags, words } = segment
  const larger = newSegment(Math.ceil(segment.slots * growth))
  for (const [slot, tag] of tags.entries()) {
    if (tag === 0) continue
    const at = slot * slotWords
    const place = find(larger, words[at] ?? 0, words[at + 1] ?? 0)
    larger.tags[place] = tag
    larger.words.set(words.subarray(at, at + slotWords), place * slotWords)
  }
  segment.tags = larger.tags
  segment.words = larger.words
  segment.slots = larger.slots
}

/** Closes the gap, so that no search ends early: entries after it move up unless they would pass their home. */
function removeSlot({ tags, words, slots }: Segment, freed: number): void {
  let gap = freed
  let slot = freed
  for (;;) {
    slot = slot + 1 === slots ? 0 : slot + 1
    const tag = tags[slot]
    if (tag === undefined || tag === 0) break
    const at = slot * slotWords
    const own = home(words[at] ?? 0, slots)
    // How far behind its home the entry stands, against how far the gap stands behind it.
    if ((slot - own + slots) % slots < (slot - gap + slots) % slots) continue
    tags[gap] = tag
    words.copyWithin(gap * slotWords, at, at + slotWords)
    gap = slot
  }
  tags[gap] = 0
}
