import { hashHigh, hashLow, sipHash } from './sip-hash.ts'

/** Public: the digest finds drift between honest parties, it authenticates nothing. */
const key: Int32Array = new Int32Array(4)

/**
 * The digest of a set of entries: the XOR of a SipHash-2-4 (key zero) of each entry's line. Adding and removing cost the
 * same, in any order.
 */
export class SetDigest {
  #low = 0
  #high = 0

  /** Adds the line, or removes it if it is in. */
  toggle(bytes: Uint8Array, start: number, end: number): void {
    sipHash(key, bytes, start, end)
    this.#low ^= hashLow
    this.#high ^= hashHigh
  }

  /** 16 hexadecimal digits. */
  toString(): string {
    return hex(this.#high) + hex(this.#low)
  }
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0')
}
