import { join } from 'node:path'
import { type KekSource, type KeyEncryptionKey, parseKek } from './kek.ts'
import { readCredentialFile } from './private-file.ts'
import { SealingError } from './sealing-error.ts'

export interface CredentialOptions {
  /** What systemd has put into `$CREDENTIALS_DIRECTORY`. */
  readonly directory: string | undefined
}

/**
 * A key-encryption key that systemd provides (`LoadCredentialEncrypted=`): in memory that is not swapped, for this
 * service alone, sealed to the machine at rest. The same text as in a file of {@link createKekFile}.
 *
 * @throws SealingError `credential_invalid`; from the methods `file_missing`, `file_unsafe`, `kek_invalid`, …
 */
export function kekFromCredential(name: string, { directory }: CredentialOptions): KekSource {
  if (directory === undefined || !directory.startsWith('/')) {
    throw new SealingError('credential_invalid', 'there is no credentials directory')
  }
  if (!/^[\w-][\w.-]{0,254}$/.test(name)) throw new SealingError('credential_invalid', 'not the name of a credential')
  const path = join(directory, name)
  async function read(): Promise<KeyEncryptionKey> {
    const text = await readCredentialFile(path, { maxBytes: 1024 })
    try {
      return parseKek(text, path)
    } finally {
      text.fill(0)
    }
  }
  return {
    current: read,
    async find(id) {
      const kek = await read()
      if (kek.id === id) return kek
      kek.secret.fill(0)
      return undefined
    },
  }
}
