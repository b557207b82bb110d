import type { PublicJwk } from '../key-source.ts'
import type { Principal } from '../principal.ts'

/** What a hit is checked against. */
export interface VerifiedToken {
  readonly token: string
  readonly principal: Principal
  readonly key: PublicJwk
  /** Unix seconds, tolerance included. */
  readonly startsAt: number
  /** Unix seconds, tolerance included. */
  readonly endsAt: number
  /** The same end on the monotonic clock: a wall clock that steps back lengthens no life. */
  readonly endsAtMs: number
}

/** Characters of the signature's end that entries are found by: 192 bits of it. */
const tailLength = 32

/** Bytes held for one entry besides its characters: claims, principal, map slot (measured, see the test). */
const entryOverheadBytes = 2_048

const costOf = (token: string): number => token.length * 3 + entryOverheadBytes

function purge(generation: Map<string, VerifiedToken>, key: PublicJwk): number {
  let freed = 0
  for (const [tail, entry] of generation) {
    if (entry.key !== key) continue
    generation.delete(tail)
    freed += costOf(entry.token)
  }
  return freed
}

/**
 * Tokens that one verifier has accepted. Found by the end of the signature, then compared whole: the key is short to hash
 * and still no two tokens are ever taken for one another.
 *
 * Entries live in two generations; a hit in the old one moves the entry to the young one, and when the young one reaches
 * half of a bound the old one is dropped. An expired entry stays until then, so that it remains known as expired.
 */
export class VerifiedTokens {
  readonly #maxEntries: number
  readonly #maxBytes: number
  #young: Map<string, VerifiedToken> = new Map()
  #old: Map<string, VerifiedToken> = new Map()
  #youngBytes = 0
  #oldBytes = 0
  /** The last token asked for and its tail: adding it after a miss need not hash the tail again. */
  #asked = ''
  #askedTail = ''

  constructor(maxEntries: number, maxBytes: number) {
    this.#maxEntries = maxEntries
    this.#maxBytes = maxBytes
  }

  get entries(): number {
    return this.#young.size + this.#old.size
  }

  /** An estimate, on the high side. */
  get bytes(): number {
    return this.#youngBytes + this.#oldBytes
  }

  get(token: string): VerifiedToken | undefined {
    const tail = token.slice(-tailLength)
    this.#asked = token
    this.#askedTail = tail
    const young = this.#young.get(tail)
    if (young !== undefined) return young.token === token ? young : undefined
    const old = this.#old.get(tail)
    if (old === undefined || old.token !== token) return undefined
    this.#old.delete(tail)
    this.#oldBytes -= costOf(token)
    this.#insert(tail, old)
    return old
  }

  add(entry: VerifiedToken): void {
    const tail = entry.token === this.#asked ? this.#askedTail : entry.token.slice(-tailLength)
    // Only one of two verifications at the same time gets here first.
    if (!this.#young.has(tail)) this.#insert(tail, entry)
  }

  /** Forgets every token that this very key object signed. */
  purge(key: PublicJwk): void {
    this.#youngBytes -= purge(this.#young, key)
    this.#oldBytes -= purge(this.#old, key)
  }

  #insert(tail: string, entry: VerifiedToken): void {
    const cost = costOf(entry.token)
    if (cost * 2 > this.#maxBytes || this.#maxEntries < 2) return
    if ((this.#young.size + 1) * 2 > this.#maxEntries || (this.#youngBytes + cost) * 2 > this.#maxBytes) {
      this.#old = this.#young
      this.#oldBytes = this.#youngBytes
      this.#young = new Map()
      this.#youngBytes = 0
    }
    this.#young.set(tail, entry)
    this.#youngBytes += cost
  }
}
