import { engine } from '#engine'
import type { AlikePayloads, PayloadKind } from './alike-payloads.ts'
import { reject } from './reject.ts'
import { parseStrictObject } from './strict-json.ts'
import type { TrustedKey } from './trusted-key.ts'

/** The header of a token, checked; nothing else of it is ever used. */
export interface Header {
  readonly alg: string
  readonly kid: string
  /** Lower case, without `application/`; empty if there is none. */
  readonly type: string
}

/** A header under which a signature held before, with the key that made it. */
export interface KnownHeader {
  readonly segment: string
  readonly header: Header
  readonly key: TrustedKey
}

/** Most headers remembered by their exact segment: one for each signing key, and a few spellings. */
const mostHeaders = 64

/** The headers that a verifier has seen hold, so that they are decoded and parsed once. */
export class KnownHeaders {
  readonly #bySegment: Map<string, KnownHeader> = new Map()
  /** Nearly every token has the header of the one before: comparing is cheaper than hashing. */
  #last: KnownHeader | undefined

  /** The header of a token whose first dot stands there. */
  find(token: string, dot: number): KnownHeader | undefined {
    const last = this.#last
    const segment = token.slice(0, dot)
    if (last !== undefined && last.segment === segment) return last
    const known = this.#bySegment.get(segment)
    if (known !== undefined) this.#last = known
    return known
  }

  add(known: KnownHeader): void {
    if (this.#bySegment.size >= mostHeaders) this.#bySegment.clear()
    this.#bySegment.set(known.segment, known)
    this.#last = known
  }
}

/** A token taken apart, nothing about it proven yet. */
export interface OpenToken {
  readonly token: string
  readonly header: Header
  /** Set when this very header held before. */
  readonly known: KnownHeader | undefined
  /** The payload's text, not parsed. */
  readonly payload: string
  /** True if the payload is ASCII only. */
  readonly ascii: boolean
  /** Set when payloads of this very kind were accepted before. */
  readonly kind: PayloadKind | undefined
  /** Where the signed part ends. */
  readonly signedLength: number
}

/** Members that would let a token bring its own key, or change what is signed (RFC 7515 section 4.1, RFC 7797). */
const refusedMembers = ['crit', 'b64', 'jwk', 'jku', 'x5u', 'x5c', 'zip', 'enc'] as const

/** Longest `kid`, in characters. */
const longestKid = 128

/** Longest header segment, in characters: it is parsed for anybody, before the signature. */
const longestHeader = 2_048

function parseHeader(segment: string, kidOptional = false): Header {
  const text = engine.decodeText(segment)
  if (text === undefined) return reject('malformed', 'header', 'The header is not canonical base64url of UTF-8.')
  const members = parseStrictObject(text)
  if (members === undefined) return reject('malformed', 'header', 'The header is not a strict JSON object.')
  for (const name of refusedMembers) {
    if (Object.hasOwn(members, name)) return reject('malformed', `header.${name}`, `The header has "${name}".`)
  }
  const { alg, typ } = members
  const kid = members.kid === undefined && kidOptional ? '' : members.kid
  if (typeof alg !== 'string') return reject('malformed', 'header.alg', 'The header has no "alg".')
  if (typeof kid !== 'string' || (kid === '' && members.kid !== undefined) || kid.length > longestKid) {
    return reject('malformed', 'header.kid', `The header's "kid" is not a string of 1 to ${longestKid} characters.`)
  }
  if (typ !== undefined && typeof typ !== 'string')
    return reject('malformed', 'header.typ', 'The "typ" is not a string.')
  const type = (typ ?? '').toLowerCase()
  return { alg, kid, type: type.startsWith('application/') ? type.slice('application/'.length) : type }
}

/** Of what is not three segments: the two other things that issuers call a token, by name. */
function shapeProblem(token: string): string {
  const segments = token.split('.', 6).length
  if (segments === 1) return 'The token has no dots: it is opaque, no JWT.'
  if (segments === 5) return 'The token has five segments: it is encrypted (JWE).'
  return 'The token is not three segments with dots between.'
}

/**
 * The strict shape (RFC 7515 section 7.1): compact form, three canonical base64url segments, within the length; of the
 * signature {@link openSignature} says so.
 *
 * @param options `kidOptional` for legacy tokens: `kid` is the empty string then; `payloads` accepted before
 */
export function openToken(
  token: unknown,
  longest: number,
  headers: KnownHeaders,
  { kidOptional, payloads }: { readonly kidOptional?: boolean; readonly payloads?: AlikePayloads } = {},
): OpenToken {
  if (typeof token !== 'string') return reject('malformed', 'token', 'The token is not a string.')
  if (token.length > longest) return reject('malformed', 'token', 'The token is too long.', 'maxTokenLength')
  const first = token.indexOf('.')
  const second = token.indexOf('.', first + 1)
  if (first < 1 || second < first + 2 || second === token.length - 1 || token.includes('.', second + 1)) {
    return reject('malformed', 'token', shapeProblem(token))
  }
  if (first > longestHeader) return reject('malformed', 'header', 'The header is too long.')
  const known = headers.find(token, first)
  const header = known === undefined ? parseHeader(token.slice(0, first), kidOptional) : known.header
  const payload = engine.decodeText(token.slice(first + 1, second))
  if (payload === undefined) return reject('malformed', 'claims', 'The payload is not canonical base64url of UTF-8.')
  // A character beyond ASCII takes more bytes in UTF-8 than UTF-16 units.
  const ascii = payload.length === Math.floor(((second - first - 1) * 3) / 4)
  // Compared while the engine still shows it; nothing is read before the signature holds.
  const kind = ascii ? payloads?.find(payload.length) : undefined
  return { token, header, known, payload, ascii, kind, signedLength: second }
}

/**
 * The signature, valid until the next one is opened: to be asked for when nothing comes before its use that could open
 * another, such as a key source with observers.
 */
export function openSignature({ token, signedLength }: OpenToken): Uint8Array {
  const signature = engine.decodeBytes(token.slice(signedLength + 1))
  return signature ?? reject('malformed', 'signature', 'The signature is not canonical base64url.')
}
