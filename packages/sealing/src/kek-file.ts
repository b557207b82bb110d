import { createHash, randomBytes } from 'node:crypto'
import type { KekSource, KeyEncryptionKey } from './kek.ts'
import { createPrivateFile, readPrivateFile } from './private-file.ts'
import { SealingError } from './sealing-error.ts'

const kekBytes = 32
/** 32 bytes in base64url, without padding. */
const kekCharacters = 43
const lineFeed = 0x0a

function kekFrom(secret: Uint8Array): KeyEncryptionKey {
  const id = createHash('sha256').update('countersign key-encryption key id\0').update(secret).digest('base64url')
  return { id: id.slice(0, 16), secret }
}

/**
 * Makes a key-encryption key: 32 random bytes, written as base64url and a newline into a new file, mode 0600.
 * Whole or not at all, and never over an existing file. Back the file up apart from what it protects.
 *
 * @throws SealingError `file_exists`, `file_missing` (no such directory), `file_failed`
 */
export async function createKekFile(path: string): Promise<KeyEncryptionKey> {
  const secret = new Uint8Array(randomBytes(kekBytes))
  const line = Buffer.from(`${Buffer.from(secret).toString('base64url')}\n`, 'latin1')
  try {
    await createPrivateFile(path, line)
  } finally {
    line.fill(0)
  }
  return kekFrom(secret)
}

async function readKek(path: string): Promise<KeyEncryptionKey> {
  const file = await readPrivateFile(path, { maxBytes: 1024 })
  try {
    const line = Buffer.from(file.buffer, file.byteOffset, file.length)
    const end = line.at(-1) === lineFeed ? line.length - 1 : line.length
    const text = line.toString('latin1', 0, end)
    const decoded = Buffer.from(text, 'base64url')
    // Encoding it again catches what the lenient decoder skips: padding, other alphabets, stray bits.
    if (end !== kekCharacters || decoded.length !== kekBytes || decoded.toString('base64url') !== text) {
      throw new SealingError('kek_invalid', `${path} does not hold a key-encryption key`)
    }
    return kekFrom(new Uint8Array(decoded))
  } finally {
    file.fill(0)
  }
}

export interface KekFileOptions {
  /** Files with earlier keys: they open what they sealed, and seal nothing. @default [] */
  readonly previous?: readonly string[]
}

/**
 * A key-encryption key from a file that only its owner can reach (0600, no symbolic link). Read at each use, so that a
 * replaced file counts at once and the secret does not stay in memory.
 *
 * @throws SealingError from the methods: `file_missing`, `file_unsafe`, `kek_invalid`, …
 */
export function kekFromFile(path: string, { previous = [] }: KekFileOptions = {}): KekSource {
  return {
    current: () => readKek(path),
    async find(id) {
      for (const candidate of [path, ...previous]) {
        const kek = await readKek(candidate)
        if (kek.id === id) return kek
        kek.secret.fill(0)
      }
      return undefined
    },
  }
}
