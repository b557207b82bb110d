import { absent, type EntryStore, type Kind, longestIdBytes } from './entry-store.ts'
import { hashHigh, hashLow, sipHash } from './sip-hash.ts'

/** Each grows alone, so that no growth stops the process for longer than some of its thousand entries take. */
const segmentCount = 256
/** Words of a slot: fingerprint (high, low), min, until. */
const slotWords = 4
const fewestSlots = 16
/** Part of the slots in use at which a segment grows, and by how much: 21 to 32 bytes an entry. */
const fullest = 0.75
const growth = 1.5

interface Segment {
  words: Uint32Array
  slots: number
  used: number
}

const encoder = new TextEncoder()

/**
 * Entries by a 64-bit fingerprint of kind and id (SipHash-2-4 under a random key of the table's own), in open-addressed
 * typed arrays: 16 bytes a slot. Two ids fall together with a chance of n × 2^-64 a look-up.
 */
export class FingerprintTable implements EntryStore {
  readonly #key: Int32Array
  readonly #segments: Segment[]
  readonly #scratch: Uint8Array = new Uint8Array(2 + longestIdBytes)
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
    return this.#segments.reduce((sum, { words }) => sum + words.byteLength, 0)
  }

  minOf(kind: Kind, id: string): number {
    return this.#read(kind, id, 2)
  }

  untilOf(kind: Kind, id: string): number {
    return this.#read(kind, id, 3)
  }

  put(kind: Kind, id: string, min: number, until: number): void {
    sipHash(this.#key, this.#scratch, 0, this.#write(kind, id))
    this.#put(hashHigh, hashLow || 1, min, until, true)
  }

  putLine(line: Uint8Array, start: number, end: number, min: number, until: number): boolean {
    sipHash(this.#key, line, start, end)
    return this.#put(hashHigh, hashLow || 1, min, until, false)
  }

  delete(kind: Kind, id: string): boolean {
    const end = this.#write(kind, id)
    if (end < 0) return false
    sipHash(this.#key, this.#scratch, 0, end)
    const low = hashLow || 1
    const segment = this.#segmentOf(low)
    const slot = find(segment, hashHigh, low)
    if (segment.words[slot * slotWords + 1] === 0) return false
    removeSlot(segment, slot)
    segment.used -= 1
    this.#size -= 1
    return true
  }

  #read(kind: Kind, id: string, word: number): number {
    const end = this.#write(kind, id)
    if (end < 0) return absent
    sipHash(this.#key, this.#scratch, 0, end)
    const low = hashLow || 1
    const segment = this.#segmentOf(low)
    const at = find(segment, hashHigh, low) * slotWords
    return segment.words[at + 1] === 0 ? absent : (segment.words[at + word] ?? absent)
  }

  #put(high: number, low: number, min: number, until: number, replaces: boolean): boolean {
    const segment = this.#segmentOf(low)
    if (segment.used + 1 > segment.slots * fullest) grow(segment)
    const at = find(segment, high, low) * slotWords
    const isNew = segment.words[at + 1] === 0
    if (!isNew && !replaces) return false
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
    // The low byte chooses the segment, the high word the slot within.
    return this.#segments[low & (segmentCount - 1)] as Segment
  }

  /** Writes kind, tab, id in UTF-8; −1 for an id that no entry can have. */
  #write(kind: Kind, id: string): number {
    const scratch = this.#scratch
    if (id.length * 3 > longestIdBytes) return -1
    scratch[0] = kind.charCodeAt(0)
    scratch[1] = 0x09
    for (let index = 0; index < id.length; index++) {
      const code = id.charCodeAt(index)
      if (code > 0x7f) return 2 + encoder.encodeInto(id, scratch.subarray(2)).written
      scratch[2 + index] = code
    }
    return 2 + id.length
  }
}

function newSegment(slots: number): Segment {
  return { words: new Uint32Array(slots * slotWords), slots, used: 0 }
}

/** Where an entry belongs if nothing is in its way. */
function home(high: number, slots: number): number {
  return Math.floor((high / 0x1_0000_0000) * slots)
}

/** The slot of this fingerprint, or the free one where it would go. A low word of 0 marks a free slot. */
function find({ words, slots }: Segment, high: number, low: number): number {
  let slot = home(high, slots)
  for (;;) {
    const at = slot * slotWords
    const found = words[at + 1]
    if (found === 0 || (found === low && words[at] === high)) return slot
    slot = slot + 1 === slots ? 0 : slot + 1
  }
}

function grow(segment: Segment): void {
  const { words } = segment
  const larger = newSegment(Math.ceil(segment.slots * growth))
  for (let at = 0; at < words.length; at += slotWords) {
    const low = words[at + 1] ?? 0
    if (low === 0) continue
    const slot = find(larger, words[at] ?? 0, low)
    larger.words.set(words.subarray(at, at + slotWords), slot * slotWords)
  }
  segment.words = larger.words
  segment.slots = larger.slots
}

/** Closes the gap, so that no search ends early: entries after it move up unless they would pass their home. */
function removeSlot({ words, slots }: Segment, freed: number): void {
  let gap = freed
  let slot = freed
  for (;;) {
    slot = slot + 1 === slots ? 0 : slot + 1
    const at = slot * slotWords
    if (words[at + 1] === 0) break
    const own = home(words[at] ?? 0, slots)
    // How far behind its home the entry stands, against how far the gap stands behind it.
    if ((slot - own + slots) % slots < (slot - gap + slots) % slots) continue
    words.copyWithin(gap * slotWords, at, at + slotWords)
    gap = slot
  }
  words.fill(0, gap * slotWords, (gap + 1) * slotWords)
}
