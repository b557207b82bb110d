import { type KekSource, type KeyEncryptionKey, parseKek } from './kek.ts'

/** What this package tells. No secrets. */
export type SealingEvent =
  /** A key-encryption key came as a value: whoever can read the environment, or a crash dump, has it. */
  { readonly type: 'kek.exposed'; readonly kekId: string }

export interface KekValueOptions {
  readonly onEvent: (event: SealingEvent) => void
}

/**
 * A key-encryption key from a value, such as an environment variable: the last resort, for platforms that offer nothing
 * else. Child processes inherit it, and it stays in this process's memory. Tells so at once.
 *
 * @param value 32 bytes in base64url, as in a file of {@link createKekFile}
 * @throws SealingError `kek_invalid`
 */
export function kekFromValue(value: string, { onEvent }: KekValueOptions): KekSource {
  const kek = parseKek(Buffer.from(value, 'latin1'), 'the value')
  onEvent({ type: 'kek.exposed', kekId: kek.id })
  // A copy each time: who has used one may zero it.
  const copy = (): KeyEncryptionKey => ({ id: kek.id, secret: Uint8Array.from(kek.secret) })
  return {
    current: async () => copy(),
    find: async (id) => (id === kek.id ? copy() : undefined),
  }
}
