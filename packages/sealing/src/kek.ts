import { createHash } from 'node:crypto'
import { SealingError } from './sealing-error.ts'

/** A key-encryption key: 256 bits and the id that sealed blobs name it by. */
export interface KeyEncryptionKey {
  /** First 16 base64url characters of SHA-256 over a fixed label and the key: safe to show. */
  readonly id: string
  /** 32 bytes. */
  readonly secret: Uint8Array
  /** The key itself, wrapped by a service that keeps the wrapping key: travels with everything that it seals. */
  readonly wrapped?: string
}

/** Where key-encryption keys come from. Seals with `current`, opens with whatever `find` still holds. */
export interface KekSource {
  current(): Promise<KeyEncryptionKey>
  /** @param wrapped what a sealed value brings along, for sources that gave it */
  find(id: string, wrapped?: string): Promise<KeyEncryptionKey | undefined>
}

const kekBytes = 32
/** 32 bytes in base64url, without padding. */
const kekCharacters = 43
const lineFeed = 0x0a

export function kekOf(secret: Uint8Array): KeyEncryptionKey {
  const id = createHash('sha256').update('countersign key-encryption key id\0').update(secret).digest('base64url')
  return { id: id.slice(0, 16), secret }
}

/**
 * Reads a key from its text: 32 bytes in base64url, and perhaps a newline.
 *
 * @param from named in the error
 * @throws SealingError `kek_invalid`
 */
export function parseKek(text: Uint8Array, from: string): KeyEncryptionKey {
  const line = Buffer.from(text.buffer, text.byteOffset, text.length)
  const end = line.at(-1) === lineFeed ? line.length - 1 : line.length
  const characters = line.toString('latin1', 0, end)
  const decoded = Buffer.from(characters, 'base64url')
  // Encoding it again catches what the lenient decoder skips: padding, other alphabets, stray bits.
  if (end !== kekCharacters || decoded.length !== kekBytes || decoded.toString('base64url') !== characters) {
    throw new SealingError('kek_invalid', `${from} does not hold a key-encryption key`)
  }
  return kekOf(new Uint8Array(decoded))
}
