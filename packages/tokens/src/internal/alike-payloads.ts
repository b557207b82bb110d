import { engine } from '#engine'
import { shareClaims } from './shared-claims.ts'

type Claims = Readonly<Record<string, unknown>>

/** A value that other payloads of the kind have another of, as long as this one. */
interface Varying {
  readonly name: string
  /** Of a text or list without its quotation marks or brackets. */
  readonly start: number
  readonly end: number
  readonly kind: Kind
}

/** What may stand in a value: a bit in {@link kindsOf}. */
type Kind = typeof text | typeof number | typeof list
const text = 1
const number = 2
const list = 4

/** By byte: printable ASCII that ends no string and begins no escape, digits, digits and commas. */
const kindsOf = new Uint8Array(256)
for (let byte = 0x20; byte < 0x7f; byte++) kindsOf[byte] = byte === 0x22 || byte === 0x5c ? 0 : text
for (let byte = 0x30; byte < 0x3a; byte++) kindsOf[byte] = text | number | list
kindsOf[0x2c] = text | list

const zero = 0x30

/** Longest payload that is kept to compare with, in characters. */
const longest = 1024

/** Most digits of a number that every double tells from its neighbours. */
const mostDigits = 15

/** From this length on V8 keeps a part of a text as a reference to the whole. */
const shortestPart = 13

/** Most payloads kept: one for each length. */
const most = 64

/** Learning takes as long as parsing four times: of tokens that are not alike only one in so many is learned from. */
const learnEvery = 8

const bytes = engine.decoded ?? new Uint8Array()
const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2)

function kindOf(value: unknown): Kind | undefined {
  if (typeof value === 'string') return text
  if (typeof value === 'number') return /^\d+$/.test(String(value)) ? number : undefined
  return Array.isArray(value) && value.every((entry) => kindOf(entry) === number) ? list : undefined
}

/** Every member that may vary, in text that `JSON.stringify` would write so. */
function findValues(claims: Claims): Varying[] {
  const values: Varying[] = []
  let at = 1
  for (const name in claims) {
    const start = at + JSON.stringify(name).length + 1
    const kind = kindOf(claims[name])
    at = start + JSON.stringify(claims[name]).length
    if (kind === number && at - start <= mostDigits) values.push({ name, start, end: at, kind })
    if (kind === text || kind === list) values.push({ name, start: start + 1, end: at - 1, kind })
    at++
  }
  return values
}

/** Not a part of the payload, which would stay in memory for as long as one value of it does. */
function ownText(part: string): string {
  return part.length < shortestPart ? part : engine.ownText(part)
}

function readNumber(payload: string, start: number, end: number): number {
  let value = 0
  for (let at = start; at < end; at++) value = value * 10 + payload.charCodeAt(at) - zero
  return value
}

/** Payloads with the same text but for some values, each of those as long as in the others. */
export class PayloadKind {
  readonly #claims: Claims
  readonly #payload: string
  readonly #varying: readonly Varying[]
  readonly #words: Int32Array
  /** The bits that do not vary. */
  readonly #fixed: Int32Array

  constructor(claims: Claims, payload: string, varying: readonly Varying[]) {
    this.#claims = claims
    this.#payload = payload
    this.#varying = varying
    const same = new Uint8Array((payload.length + 3) & ~3).fill(0xff, 0, payload.length)
    for (const { start, end } of varying) same.fill(0, start, end)
    this.#fixed = new Int32Array(same.buffer)
    const own = new Uint8Array(same.length).map((_, at) => payload.charCodeAt(at))
    this.#words = new Int32Array(own.buffer)
  }

  /** Whether the payload decoded last, ASCII as long as this one, is of this kind. */
  matches(): boolean {
    const own = this.#words
    const fixed = this.#fixed
    for (let at = 0; at < own.length; at++) {
      if ((((words[at] as number) ^ (own[at] as number)) & (fixed[at] as number)) !== 0) return false
    }
    for (const { start, end, kind } of this.#varying) {
      if (kind === number && bytes[start] === zero && end > start + 1) return false
      for (let at = start; at < end; at++) if (((kindsOf[bytes[at] as number] as number) & kind) === 0) return false
    }
    return true
  }

  /**
   * What `JSON.parse` would make of a payload that matched; members of its own, values shared, frozen deeply.
   *
   * @returns `undefined` for a list that is none
   */
  read(payload: string): Claims | undefined {
    const claims: Record<string, unknown> = { ...this.#claims }
    for (const { name, start, end, kind } of this.#varying) {
      if (kind === text) claims[name] = ownText(payload.slice(start, end))
      else if (kind === number) claims[name] = readNumber(payload, start, end)
      else {
        try {
          claims[name] = Object.freeze(JSON.parse(payload.slice(start - 1, end + 1)))
        } catch {
          return undefined
        }
      }
    }
    shareClaims(claims)
    return Object.freeze(claims)
  }

  /** The kind of both payloads if they have one, else of that one alone. */
  widen(claims: Claims, payload: string): PayloadKind {
    const varies = new Set(this.#varying.map(({ name }) => name))
    const varying = findValues(claims).filter(({ name, start, end }) => {
      return varies.has(name) || this.#payload.slice(start, end) !== payload.slice(start, end)
    })
    const isOne = withoutValues(this.#payload, varying) === withoutValues(payload, varying)
    return new PayloadKind(claims, payload, isOne ? varying : [])
  }
}

function withoutValues(payload: string, values: readonly Varying[]): string {
  const starts = [0, ...values.map(({ end }) => end)]
  return starts.map((start, index) => payload.slice(start, values[index]?.start)).join('')
}

/**
 * The kinds of payload that one verifier has accepted. The tokens of an issuer differ in a few values only, mostly in ones
 * of one length: then nothing but those has to be read, which takes a third of the time that `JSON.parse` and the search
 * for repeated members take. Does nothing where the engine does not show what it decoded.
 */
export class AlikePayloads {
  readonly #byLength: Map<number, PayloadKind> = new Map()
  #missed = 0

  /** The kind of the payload decoded last, which is ASCII and has this length. */
  find(length: number): PayloadKind | undefined {
    const kind = this.#byLength.get(length)
    return kind?.matches() === true ? kind : undefined
  }

  /**
   * To be called with what was accepted and not found.
   *
   * @param claims what the strict parser made of the payload
   * @param payload printable ASCII without a backslash
   */
  learn(claims: Claims, payload: string): void {
    const { length } = payload
    if (this.#missed++ % learnEvery !== 0 || length > longest || bytes.length === 0) return
    // In text that is spelled otherwise nobody knows where the values are.
    if (JSON.stringify(claims) !== payload) return
    const kind = this.#byLength.get(length)
    if (kind === undefined && this.#byLength.size >= most) {
      const [oldest] = this.#byLength.keys()
      this.#byLength.delete(oldest as number)
    }
    this.#byLength.set(length, kind?.widen(claims, payload) ?? new PayloadKind(claims, payload, []))
  }
}
