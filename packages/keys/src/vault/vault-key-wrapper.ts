import { type KekSource, type KeyWrapper, kekFromWrapper } from '@countersign/sealing'
import { z } from 'zod'
import { KeysError } from '../keys-error.ts'
import { checkVaultPath } from './vault-address.ts'
import { refusal, type VaultClient } from './vault-client.ts'

export interface VaultKeyWrapperOptions {
  readonly client: VaultClient
  /** Of the transit engine. @default 'transit' */
  readonly mount?: string
  /** A transit key of type aes256-gcm96; it must be there. */
  readonly keyName: string
}

const dataKeySchema = z.object({
  data: z.object({ plaintext: z.string().max(1024), ciphertext: z.string().max(1024) }),
})
const plaintextSchema = z.object({ data: z.object({ plaintext: z.string().max(1024) }) })

/** Makes and unwraps data keys with a transit key: what {@link kekFromVault} stands on. */
export function vaultKeyWrapper({ client, mount = 'transit', keyName }: VaultKeyWrapperOptions): KeyWrapper {
  checkVaultPath(mount, 'mount')
  checkVaultPath(keyName, 'keyName')
  return {
    async generate() {
      const path = `${mount}/datakey/plaintext/${keyName}`
      const answer = await client.request({ method: 'POST', path, body: { bits: 256 } }, { repeat: true })
      if (answer.status !== 200) throw refusal(answer, `a data key of ${keyName}`)
      const parsed = dataKeySchema.safeParse(answer.body)
      if (!parsed.success)
        throw new KeysError('vault_answer_invalid', `Vault's data key of ${keyName} has another form`)
      const { plaintext, ciphertext } = parsed.data.data
      return { secret: new Uint8Array(Buffer.from(plaintext, 'base64')), wrapped: ciphertext }
    },
    async unwrap(wrapped) {
      const path = `${mount}/decrypt/${keyName}`
      const answer = await client.request({ method: 'POST', path, body: { ciphertext: wrapped } }, { repeat: true })
      if (answer.status !== 200) throw refusal(answer, `to unwrap a data key with ${keyName}`)
      const parsed = plaintextSchema.safeParse(answer.body)
      if (!parsed.success)
        throw new KeysError('vault_answer_invalid', `Vault's data key of ${keyName} has another form`)
      return new Uint8Array(Buffer.from(parsed.data.data.plaintext, 'base64'))
    },
  }
}

/**
 * A key-encryption key from Vault transit: at rest it exists only wrapped, inside what it sealed; in plain only in this
 * process's memory. Vault is asked at the first sealing, and once for each data key that is opened.
 *
 * @throws KeysError from its methods: `vault_unavailable`, `vault_denied`, `vault_refused`
 */
export function kekFromVault(options: VaultKeyWrapperOptions): KekSource {
  return kekFromWrapper(vaultKeyWrapper(options))
}
