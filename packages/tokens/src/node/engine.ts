import {
  constants,
  createHmac,
  createPublicKey,
  createSecretKey,
  type JsonWebKey,
  type KeyObject,
  timingSafeEqual,
  verify,
} from 'node:crypto'
import { algorithmParts, type Engine, type HmacKey, type SignatureKey } from '../engine-contract.ts'
import { endsCanonically } from '../internal/base64url.ts'

/** Longest token or segment that goes through the reused buffers; longer text gets a buffer of its own. */
const scratchBytes = 16_384

/** Node's own primitives under `write` and `toString`: on every token, choosing them anew costs more than they do. */
interface FastBuffer extends Buffer {
  latin1Write(text: string, offset: number, length: number): number
  latin1Slice(start: number, end: number): string
  utf8Write(text: string, offset: number, length: number): number
  base64urlWrite(text: string, offset: number, length: number): number
  base64urlSlice(start: number, end: number): string
  utf8Slice(start: number, end: number): string
}

function allocate(bytes: number): FastBuffer {
  return Buffer.allocUnsafeSlow(bytes) as FastBuffer
}

/** Reused by every call: nothing in this module waits between filling and reading them. */
const inputScratch = allocate(scratchBytes)
const textScratch = allocate(scratchBytes)
const bytesScratch = allocate(scratchBytes)
/** The usual signature: 64 bytes, a view that need not be made each time. */
const signatureScratch = bytesScratch.subarray(0, 64)

function both(verifySync: (data: Uint8Array, signature: Uint8Array) => boolean): SignatureKey {
  return { verifySync, verify: async (data, signature) => verifySync(data, signature) }
}

function ed25519Key(publicKey: Uint8Array): SignatureKey {
  const x = Buffer.from(publicKey).toString('base64url')
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
  return both((data, signature) => verify(null, data, key, signature))
}

function importKey(jwk: object, algorithm: string): SignatureKey {
  const parts = algorithmParts(algorithm)
  const key: KeyObject = createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' })
  if (parts.kind === 'ECDSA') {
    const input = { key, dsaEncoding: 'ieee-p1363' } as const
    return both((data, signature) => verify(parts.hash, data, input, signature))
  }
  if (parts.kind === 'RSA-PSS') {
    // RFC 7518 section 3.5: the salt is as long as the hash.
    const input = { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
    return both((data, signature) => verify(parts.hash, data, input, signature))
  }
  return both((data, signature) => verify(parts.hash, data, key, signature))
}

function scratchFor(length: number, scratch: FastBuffer): FastBuffer {
  return length <= scratchBytes ? scratch : allocate(length)
}

/** Costs next to nothing: V8 keeps text without such characters apart, and does not look for them there. */
const beyondLatin1 = /[\u0100-\uffff]/

/**
 * Node's decoder is lenient: it leaves out characters that it does not know, takes those of the other alphabet, looks at
 * the lower byte of a character only, and drops spare bits. Checked like this no text has to be made to compare with.
 */
function decode(segment: string, target: FastBuffer): number {
  const { length } = segment
  const written = target.base64urlWrite(segment, 0, target.length)
  if (written !== (length * 3) >> 2 || length % 4 === 1 || segment.includes('+') || segment.includes('/')) return -1
  return beyondLatin1.test(segment) || !endsCanonically(segment) ? -1 : written
}

function decodeText(segment: string): string | undefined {
  const target = scratchFor(segment.length, textScratch)
  const written = decode(segment, target)
  if (written < 0) return undefined
  const text = target.utf8Slice(0, written)
  // Ill-formed UTF-8 shows as U+FFFD, which few honest tokens contain: only those are looked at twice.
  if (text.includes('\ufffd') && !Buffer.from(text, 'utf8').equals(target.subarray(0, written))) return undefined
  return text
}

function decodeBytes(segment: string): Uint8Array | undefined {
  const target = scratchFor(segment.length, bytesScratch)
  const written = decode(segment, target)
  if (written < 0) return undefined
  return written === 64 ? signatureScratch : target.subarray(0, written)
}

/** Tokens of one kind have one length, and a view costs as much as what is written to it. */
let inputView = inputScratch.subarray(0, 0)

function ascii(text: string, length: number): Uint8Array {
  const target = scratchFor(length, inputScratch)
  target.latin1Write(text, 0, length)
  if (target !== inputScratch) return target.subarray(0, length)
  if (inputView.length !== length) inputView = inputScratch.subarray(0, length)
  return inputView
}

function ownText(text: string): string {
  const { length } = text
  const target = scratchFor(length, textScratch)
  target.latin1Write(text, 0, length)
  return target.latin1Slice(0, length)
}

function encodeText(text: string): string {
  // UTF-8 takes at most three bytes for each UTF-16 unit.
  const target = scratchFor(text.length * 3, textScratch)
  return target.base64urlSlice(0, target.utf8Write(text, 0, target.length))
}

function encodeBytes(bytes: Uint8Array): string {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return (buffer as FastBuffer).base64urlSlice(0, buffer.length)
}

function hmacKey(secret: Uint8Array): HmacKey {
  const key = createSecretKey(secret)
  const signSync = (data: Uint8Array): Uint8Array => createHmac('sha256', key).update(data).digest()
  const verifySync = (data: Uint8Array, signature: Uint8Array): boolean => {
    return signature.length === 32 && timingSafeEqual(signSync(data), signature)
  }
  return { signSync, sign: async (data) => signSync(data), ...both(verifySync) }
}

/** `node:crypto`, synchronously: faster for one token than any asynchronous form. */
export const engine: Engine = {
  ed25519: { name: 'node:crypto', importKey: ed25519Key },
  importKey,
  decodeText,
  decoded: textScratch,
  decodeBytes,
  ascii,
  ownText,
  encodeText,
  encodeBytes,
  hmacKey,
}
