import type { KeyBackend } from '../key-backend.ts'
import { isKeysError, KeysError } from '../keys-error.ts'
import { parseTransitKey, parseTransitSignature, type TransitKey } from './transit-wire.ts'
import { checkVaultPath } from './vault-address.ts'
import { refusal, type VaultClient } from './vault-client.ts'
import { unavailable } from './vault-sender.ts'

export interface VaultTransitOptions {
  readonly client: VaultClient
  /** Of the transit engine. @default 'transit' */
  readonly mount?: string
  /** Of one ring alone: its old versions are closed as the ring retires them. Made when it is not there. */
  readonly keyName: string
  /** How long a signature may take, an outage included, 0.1 to 10. @default 2 */
  readonly queueSeconds?: number
  /** Signatures under way or waiting; more are refused at once. 1 to 100,000. @default 1000 */
  readonly maxQueued?: number
}

/** A rotation whose outcome is not known is looked up, and asked for again if it was not done, so many times. */
const mostRotations = 3

/**
 * Signing keys that never leave Vault: the versions of one transit key, type ed25519. A version is a key of the ring, and
 * each signature pins it, so that a rotation, the ring's or somebody else's, changes nothing by itself.
 *
 * When Vault is out of reach a signature waits for `queueSeconds` in all; then it fails with `vault_unavailable` and
 * `retryAfterSeconds`.
 *
 * @throws KeysError `vault_misconfigured`; from its methods also `transit_key_unfit` (derived, or not ed25519),
 * `vault_unavailable`, `vault_denied`, `vault_refused`, `vault_answer_invalid`
 */
export function vaultTransit(options: VaultTransitOptions): KeyBackend {
  const { client, mount = 'transit', keyName, queueSeconds = 2, maxQueued = 1000 } = options
  checkVaultPath(mount, 'mount')
  if (checkVaultPath(keyName, 'keyName').includes('/')) {
    throw new KeysError('vault_misconfigured', 'keyName must be one segment')
  }
  if (!(queueSeconds >= 0.1 && queueSeconds <= 10)) {
    throw new KeysError('vault_misconfigured', `queueSeconds must be from 0.1 to 10, not ${queueSeconds}`)
  }
  if (!(Number.isInteger(maxQueued) && maxQueued >= 1 && maxQueued <= 100_000)) {
    throw new KeysError('vault_misconfigured', `maxQueued must be a whole number from 1 to 100000, not ${maxQueued}`)
  }
  const id = `transit:${mount}/${keyName}`
  const keyPath = `${mount}/keys/${keyName}`
  let queued = 0
  let exportableTold = false

  async function readKey(): Promise<TransitKey | undefined> {
    const answer = await client.request({ method: 'GET', path: keyPath }, { maxBytes: 1024 * 1024 })
    if (answer.status === 404) return undefined
    if (answer.status !== 200) throw refusal(answer, `to describe the key ${keyName}`)
    const key = parseTransitKey(answer.body, keyName)
    if (key.exportable && !exportableTold) {
      exportableTold = true
      client.emit({ type: 'vault.key_exportable', key: id })
    }
    return key
  }

  async function readOrCreate(): Promise<TransitKey> {
    const found = await readKey()
    if (found !== undefined) return found
    // Creating a key that is there changes nothing, so it may be repeated.
    const body = { type: 'ed25519', exportable: false, allow_plaintext_backup: false, derived: false }
    const answer = await client.request({ method: 'POST', path: keyPath, body }, { repeat: true })
    if (answer.status >= 400) throw refusal(answer, `to make the key ${keyName}`)
    const made = await readKey()
    if (made === undefined) throw new KeysError('vault_answer_invalid', `the key ${keyName} is not there once made`)
    return made
  }

  async function mint(algorithm: 'EdDSA' | 'ES256', known: readonly string[]): Promise<string> {
    if (algorithm !== 'EdDSA') {
      throw new KeysError('transit_key_unfit', `${id} signs EdDSA only: give an ${algorithm} ring a key-encryption key`)
    }
    const newest = Math.max(0, ...known.map(versionOf))
    for (let rotations = 0; ; rotations += 1) {
      const { latest } = await readOrCreate()
      // Also one that was made before a crash, or by somebody else's rotation: it has signed nothing of ours.
      if (latest > newest) return referenceTo(latest)
      if (rotations >= mostRotations) throw new KeysError('vault_answer_invalid', `the key ${keyName} does not rotate`)
      try {
        const answer = await client.request({ method: 'POST', path: `${keyPath}/rotate`, body: {} })
        if (answer.status >= 400) throw refusal(answer, `to rotate the key ${keyName}`)
      } catch (error) {
        // Whether it was done, the next reading tells.
        if (!isKeysError(error) || error.code !== 'vault_unavailable') throw error
      }
    }
  }

  async function sign(version: number, data: Uint8Array): Promise<Uint8Array> {
    if (queued >= maxQueued) throw unavailable(`${maxQueued} signatures wait already`)
    queued += 1
    try {
      const body = {
        input: Buffer.from(data).toString('base64'),
        key_version: version,
        marshaling_algorithm: 'jws',
      }
      const answer = await client.request(
        { method: 'POST', path: `${mount}/sign/${keyName}`, body },
        { repeat: true, patient: true, withinMs: queueSeconds * 1000 },
      )
      if (answer.status !== 200) throw refusal(answer, `to sign with version ${version} of the key ${keyName}`)
      return parseTransitSignature(answer.body, version, keyName)
    } finally {
      queued -= 1
    }
  }

  async function configure(kind: 'config' | 'trim', body: Readonly<Record<string, number>>): Promise<void> {
    const answer = await client.request({ method: 'POST', path: `${keyPath}/${kind}`, body }, { repeat: true })
    if (answer.status >= 400) throw refusal(answer, `${kind} of the key ${keyName}`)
  }

  return {
    id,
    mint,
    async open(reference) {
      const version = versionOf(reference)
      const x = (await readKey())?.publicKeys.get(version)
      if (x === undefined) throw new KeysError('key_not_ours', `${id} has no version ${version}`)
      return { publicKey: { kty: 'OKP', crv: 'Ed25519', x }, sign: (data) => sign(version, data) }
    },
    async retain(inUse) {
      const least = Math.min(...inUse.map(versionOf))
      const key = await readKey()
      if (key === undefined || !Number.isFinite(least)) return
      // In this order: Vault refuses a least version for signing below the one for verifying.
      if (key.minEncryption < least) await configure('config', { min_encryption_version: least })
      if (key.minDecryption < least) await configure('config', { min_decryption_version: least })
      // What an earlier rotation closed is destroyed now; what this one closes can still be brought back by hand.
      const destroyed = Math.min(key.minDecryption, least)
      if (key.minEncryption > 0 && destroyed > Math.max(1, key.minAvailable)) {
        await configure('trim', { min_available_version: destroyed })
      }
    },
  }
}

const referenceTo = (version: number): string => `v${version}`

/** @throws KeysError `key_not_ours` */
function versionOf(reference: string): number {
  const [, version] = /^v([1-9]\d{0,8})$/.exec(reference) ?? []
  if (version === undefined)
    throw new KeysError('key_not_ours', `${reference.slice(0, 32)} names no version of a transit key`)
  return Number(version)
}
