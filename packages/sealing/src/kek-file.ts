import { randomBytes } from 'node:crypto'
import { type KekSource, type KeyEncryptionKey, kekOf, parseKek } from './kek.ts'
import { createPrivateFile, readPrivateFile } from './private-file.ts'

const kekBytes = 32

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
  return kekOf(secret)
}

async function readKek(path: string): Promise<KeyEncryptionKey> {
  const file = await readPrivateFile(path, { maxBytes: 1024 })
  try {
    return parseKek(file, path)
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
