import { type KekSource, type KeyEncryptionKey, kekOf } from './kek.ts'
import { SealingError } from './sealing-error.ts'

/** A service that wraps keys with one that it never gives away: Vault transit, a cloud's key service, an HSM. */
export interface KeyWrapper {
  /** 32 fresh random bytes and the same, wrapped: printable ASCII, at most 1,024 characters. */
  generate(): Promise<{ readonly secret: Uint8Array; readonly wrapped: string }>
  unwrap(wrapped: string): Promise<Uint8Array>
}

const kekBytes = 32
/** Keys that are held in memory, so that a service that is away stops nothing that was opened before. */
const mostHeld = 64

/**
 * Key-encryption keys from a service. Each process has one generated when it first seals; it travels, wrapped, in the
 * header of what it sealed, so that any process that may use the service can open that. At rest there is no key in plain.
 *
 * @throws from the methods: what the wrapper throws; SealingError `kek_invalid`, `kek_unwrapped_wrong`
 */
export function kekFromWrapper(wrapper: KeyWrapper): KekSource {
  let own: Promise<KeyEncryptionKey> | undefined
  const held = new Map<string, Promise<KeyEncryptionKey | undefined>>()

  async function generate(): Promise<KeyEncryptionKey> {
    const { secret, wrapped } = await wrapper.generate()
    if (secret.length !== kekBytes || !/^[!-~]{1,1024}$/.test(wrapped)) {
      throw new SealingError('kek_invalid', 'the wrapping service did not generate 32 bytes and their wrapped form')
    }
    return { ...kekOf(secret), wrapped }
  }

  async function unwrap(id: string, wrapped: string): Promise<KeyEncryptionKey> {
    const secret = await wrapper.unwrap(wrapped)
    const kek = { ...kekOf(secret), wrapped }
    if (secret.length === kekBytes && kek.id === id) return kek
    secret.fill(0)
    throw new SealingError('kek_unwrapped_wrong', `what was unwrapped is not the key-encryption key ${id}`)
  }

  /** Failures are not kept. The id alone would not do: it is not authenticated before the key is known. */
  function hold(name: string, found: Promise<KeyEncryptionKey | undefined>): Promise<KeyEncryptionKey | undefined> {
    held.set(name, found)
    found.catch(() => held.delete(name))
    for (const oldest of held.keys()) {
      if (held.size <= mostHeld) break
      held.delete(oldest)
    }
    return found
  }

  return {
    current() {
      own ??= generate().catch((error: unknown) => {
        own = undefined
        throw error
      })
      return own
    },
    async find(id, wrapped) {
      if (wrapped === undefined) return undefined
      const mine = await own?.catch(() => undefined)
      if (mine?.id === id) return mine
      const name = `${id} ${wrapped}`
      return await (held.get(name) ?? hold(name, unwrap(id, wrapped)))
    },
  }
}
