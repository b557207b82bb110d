import { createCipheriv, createDecipheriv, createSecretKey, hkdfSync, type KeyObject, randomBytes } from 'node:crypto'
import type { KeyEncryptionKey } from '@countersign/sealing'
import { CredentialsError } from './errors.ts'

/**
 * `v1.KID.WRAPPED.IV.SEALED`, base64url: the secret under a data key of its own (AES-256-GCM), and that key under a key
 * derived from the key-encryption key. Both are bound to the place. A key-encryption key that travels wrapped follows its id
 * after a colon.
 */
export interface Envelope {
  readonly kid: string
  /** For sources of key-encryption keys that gave it. */
  readonly kekWrapped: string | undefined
  /** Both, as they stand in the envelope. */
  readonly kekName: string
  /** The data key, as it stands in the envelope. */
  readonly wrappedKey: string
  readonly iv: Buffer
  readonly sealed: Buffer
}

const cipher = 'aes-256-gcm'
const keyBytes = 32
const ivBytes = 12
const tagBytes = 16
const longestEnvelope = 100_000

/** Lengths are exact: what decodes leniently elsewhere is refused before. */
const form = /^v1\.([\w-]{1,128})(?::([\w-]{1,2048}))?\.([\w-]{80})\.([\w-]{16})\.([\w-]{22,})$/

/** @throws CredentialsError `malformed` */
export function parseEnvelope(text: string): Envelope {
  const [, kid, kekText, wrappedKey, iv, sealed] = (text.length <= longestEnvelope ? form.exec(text) : null) ?? []
  const kekWrapped = kekText === undefined ? undefined : decode(kekText).toString('latin1')
  if (kid === undefined || wrappedKey === undefined || iv === undefined || sealed === undefined) throw malformed()
  return { kid, kekWrapped, kekName: kekNameOf(kid, kekWrapped), wrappedKey, iv: decode(iv), sealed: decode(sealed) }
}

const malformed = (): CredentialsError => new CredentialsError('malformed', 'the stored record is no envelope of ours')

/** One text for one value: a stray bit in the last character is an alteration like any other. */
function decode(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.toString('base64url') !== text) throw malformed()
  return bytes
}

/** A wrapping key, and how envelopes name what it came from. */
export interface NamedKey {
  readonly name: string
  readonly wrapping: KeyObject
}

/** Wraps and unwraps data keys; what is asked of the key-encryption key is asked of a key derived from it. */
export function wrappingKey({ secret }: KeyEncryptionKey): KeyObject {
  const derived = Buffer.from(
    hkdfSync('sha256', secret, new Uint8Array(0), 'countersign credentials data keys v1', keyBytes),
  )
  try {
    return createSecretKey(derived)
  } finally {
    derived.fill(0)
  }
}

export function newDataKey(): KeyObject {
  const secret = randomBytes(keyBytes)
  try {
    return createSecretKey(secret)
  } finally {
    secret.fill(0)
  }
}

/** The id alone would not do for a key that travels: it is not authenticated before the key is known. */
export function kekNameOf(kid: string, kekWrapped: string | undefined): string {
  return kekWrapped === undefined ? kid : `${kid}:${Buffer.from(kekWrapped, 'latin1').toString('base64url')}`
}

/** Under which key a data key is wrapped is bound as well: every character of an envelope is. */
const wrapBound = (bound: Buffer, kekName: string): Buffer => Buffer.concat([bound, Buffer.from(kekName, 'latin1')])

export function wrapDataKey(dataKey: KeyObject, { wrapping, name }: NamedKey, bound: Buffer): string {
  const secret = dataKey.export()
  try {
    const iv = randomBytes(ivBytes)
    return Buffer.concat([iv, encrypt(wrapping, iv, secret, wrapBound(bound, name))]).toString('base64url')
  } finally {
    secret.fill(0)
  }
}

/** @throws CredentialsError `malformed`, `not_authentic` */
export function unwrapDataKey({ wrappedKey, kekName }: Envelope, wrapping: KeyObject, bound: Buffer): KeyObject {
  const bytes = decode(wrappedKey)
  const secret = decrypt(wrapping, bytes.subarray(0, ivBytes), bytes.subarray(ivBytes), wrapBound(bound, kekName))
  try {
    return createSecretKey(secret)
  } finally {
    secret.fill(0)
  }
}

export function sealSecret(secret: Uint8Array, dataKey: KeyObject, bound: Buffer): Pick<Envelope, 'iv' | 'sealed'> {
  const iv = randomBytes(ivBytes)
  return { iv, sealed: encrypt(dataKey, iv, secret, bound) }
}

/** @throws CredentialsError `not_authentic` */
export function openSecret({ iv, sealed }: Envelope, dataKey: KeyObject, bound: Buffer): Buffer {
  return decrypt(dataKey, iv, sealed, bound)
}

export function formatEnvelope(kekName: string, parts: Pick<Envelope, 'wrappedKey' | 'iv' | 'sealed'>): string {
  return `v1.${kekName}.${parts.wrappedKey}.${parts.iv.toString('base64url')}.${parts.sealed.toString('base64url')}`
}

function encrypt(key: KeyObject, iv: Buffer, plaintext: Uint8Array, bound: Buffer): Buffer {
  const sealing = createCipheriv(cipher, key, iv, { authTagLength: tagBytes })
  sealing.setAAD(bound)
  return Buffer.concat([sealing.update(plaintext), sealing.final(), sealing.getAuthTag()])
}

function decrypt(key: KeyObject, iv: Buffer, sealed: Buffer, bound: Buffer): Buffer {
  const end = sealed.length - tagBytes
  if (end < 0) throw malformed()
  const opening = createDecipheriv(cipher, key, iv, { authTagLength: tagBytes })
  opening.setAAD(bound)
  opening.setAuthTag(sealed.subarray(end))
  const plaintext = opening.update(sealed.subarray(0, end))
  try {
    opening.final()
    return plaintext
  } catch {
    plaintext.fill(0)
    throw new CredentialsError('not_authentic', 'the stored record was altered, or belongs to another place')
  }
}
