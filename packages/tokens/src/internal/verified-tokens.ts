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

/** Where that part of a signature begins that entries are found by, counted from the end. */
const tailStart = 7

/** Above the span of base64url's characters, so that no two tails have one number: its fifth power is below 2^32. */
const tailBase = 78
const lowestCharacter = 45

/**
 * Five characters near the end of the signature as one small number: cheaper to hash than any string. The last two are
 * left out: they carry four bits of an Ed25519 signature.
 */
function tailOf(token: string): number {
  let tail = 0
  for (let at = token.length - tailStart, end = at + 5; at < end; at++) {
    tail = (Math.imul(tail, tailBase) + token.charCodeAt(at) - lowestCharacter) | 0
  }
  return tail
}

/** Bytes held for one entry besides its characters: claims, principal, map slot (measured, see the test). */
const entryOverheadBytes = 2_048

const costOf = (token: string): number => token.length * 3 + entryOverheadBytes

function purge(generation: Map<number, VerifiedToken>, key: PublicJwk): number {
  let freed = 0
  for (const [tail, entry] of generation) {
    if (entry.key !== key) continue
    generation.delete(tail)
    freed += costOf(entry.token)
  }
  return freed
}

/**
 * Tokens that one verifier has accepted. Found by a few bits of the signature, then compared whole: no two tokens are ever
 * taken for one another, and of two with the same bits the later one is remembered.
 *
 * Entries live in two generations; a hit in the old one moves the entry to the young one, and when the young one reaches
 * half of a bound the old one is dropped. An expired entry stays until then, so that it remains known as expired.
 */
export class VerifiedTokens {
  readonly #maxEntries: number
  readonly #maxBytes: number
  #young: Map<number, VerifiedToken> = new Map()
  #old: Map<number, VerifiedToken> = new Map()
  #youngBytes = 0
  #oldBytes = 0

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
    const tail = tailOf(token)
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
    this.#insert(tailOf(entry.token), entry)
  }

  /** Forgets every token that this very key object signed. */
  purge(key: PublicJwk): void {
    this.#youngBytes -= purge(this.#young, key)
    this.#oldBytes -= purge(this.#old, key)
  }

  #insert(tail: number, entry: VerifiedToken): void {
    const cost = costOf(entry.token)
    if (cost * 2 > this.#maxBytes || this.#maxEntries < 2) return
    if ((this.#young.size + 1) * 2 > this.#maxEntries || (this.#youngBytes + cost) * 2 > this.#maxBytes) {
      this.#old = this.#young
      this.#oldBytes = this.#youngBytes
      this.#young = new Map()
      this.#youngBytes = 0
    }
    const before = this.#young.get(tail)
    if (before !== undefined) this.#youngBytes -= costOf(before.token)
    this.#young.set(tail, entry)
    this.#youngBytes += cost
  }
}
