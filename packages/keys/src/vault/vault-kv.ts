import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import type { KeyRingDocument } from '../document.ts'
import { parseKeyRingDocument } from '../document-schema.ts'
import { isKeysError, KeysError } from '../keys-error.ts'
import type { KeyRingStore } from '../ports.ts'
import { checkVaultPath } from './vault-address.ts'
import { refusal, type VaultClient } from './vault-client.ts'

export interface VaultKvOptions {
  readonly client: VaultClient
  /** Of the KV version 2 engine. @default 'secret' */
  readonly mount?: string
  /** The folder; each ring is a secret in it. For key rings alone. @default 'countersign/keys' */
  readonly path?: string
  /** How often `onChange` looks, 0.1 to 60. @default 5 */
  readonly pollSeconds?: number
}

const secretSchema = z.object({
  data: z.object({
    data: z.record(z.string(), z.unknown()).nullable(),
    metadata: z.object({ version: z.int().nonnegative(), destroyed: z.boolean(), deletion_time: z.string() }),
  }),
})
const contentSchema = z.object({ ring: z.string(), write: z.string() })
const metadataSchema = z.object({
  data: z.object({
    current_version: z.int().nonnegative(),
    versions: z.record(z.string(), z.object({ destroyed: z.boolean() })),
  }),
})
const writtenSchema = z.object({ data: z.object({ version: z.int().positive() }) })
const listSchema = z.object({ data: z.object({ keys: z.array(z.string()) }) })

/** A ring of a thousand keys has half a mebibyte; Vault's own storage takes one, unless told otherwise. */
const maxSecretBytes = 4 * 1024 * 1024
/** A write whose outcome is not known is looked up, and made again if it was not done, so many times. */
const mostWrites = 3

/** What a secret holds now. */
interface Stored {
  /** Vault's count of versions; ours is in the document. */
  readonly secretVersion: number
  readonly document: KeyRingDocument
  /** Of the one write that stored it. */
  readonly write: string
}

/** Everything but lower-case letters, digits and dashes is written as its bytes. */
function secretNameOf(ring: string): string {
  const bytes = [...Buffer.from(ring, 'utf8')]
  return bytes
    .map((byte) => {
      const character = String.fromCharCode(byte)
      return /[a-z0-9-]/.test(character) ? character : `_${byte.toString(16).padStart(2, '0')}`
    })
    .join('')
}

/**
 * Keeps key rings in Vault's KV version 2, each as one secret; the compare-and-set is Vault's. The private keys in them are
 * sealed by the ring. Whatever a version replaces is destroyed at once, so that no retired private key stays in an old
 * one. Instants are by Vault's clock.
 *
 * @throws KeysError `vault_misconfigured`; from its methods `vault_unavailable`, `vault_denied`, `vault_refused`,
 * `vault_answer_invalid`, `ring_invalid`; `ring_deleted` for a secret whose newest version was deleted or destroyed
 */
export function vaultKv({
  client,
  mount = 'secret',
  path = 'countersign/keys',
  pollSeconds = 5,
}: VaultKvOptions): KeyRingStore {
  checkVaultPath(mount, 'mount')
  checkVaultPath(path, 'path')
  if (!(pollSeconds >= 0.1 && pollSeconds <= 60)) {
    throw new KeysError('vault_misconfigured', `pollSeconds must be from 0.1 to 60, not ${pollSeconds}`)
  }
  const pathOf = (kind: 'data' | 'metadata' | 'destroy', name: string): string => `${mount}/${kind}/${path}/${name}`
  /** The secret's version at the last reading or writing of each ring: what `onChange` compares with. */
  const seen = new Map<string, number>()
  const swept = new Set<string>()

  async function lookUp(ring: string): Promise<Stored | undefined> {
    const name = secretNameOf(ring)
    const answer = await client.request({ method: 'GET', path: pathOf('data', name) }, { maxBytes: maxSecretBytes })
    const { status, body } = answer
    const parsed = secretSchema.safeParse(body)
    // A deleted secret is not found either, but has a body: a ring that was lost must not begin anew unasked.
    if (status === 404 && !parsed.success) {
      seen.set(name, 0)
      return undefined
    }
    if (status !== 200 && status !== 404) throw refusal(answer, `to read the ring ${ring}`)
    if (!parsed.success)
      throw new KeysError('vault_answer_invalid', `Vault's answer about the ring ${ring} has another form`)
    const { data, metadata } = parsed.data.data
    seen.set(name, metadata.version)
    if (data === null) {
      const how = metadata.destroyed ? 'destroyed' : 'deleted'
      throw new KeysError('ring_deleted', `version ${metadata.version} of the secret of the ring ${ring} was ${how}`)
    }
    const content = contentSchema.safeParse(data)
    if (!content.success) throw new KeysError('ring_invalid', `the secret of the ring ${ring} holds something else`)
    const document = parse(content.data.ring, ring)
    return { secretVersion: metadata.version, document, write: content.data.write }
  }

  function parse(text: string, ring: string): KeyRingDocument {
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch {
      throw new KeysError('ring_invalid', `the secret of the ring ${ring} is not JSON`)
    }
    const document = parseKeyRingDocument(value)
    if (document.name !== ring) throw new KeysError('ring_invalid', `the secret of the ring ${ring} holds another ring`)
    return document
  }

  /** Destroys every version before the current one: also what a crash between a write and its sweep has left. */
  async function sweep(ring: string): Promise<void> {
    const name = secretNameOf(ring)
    try {
      const answer = await client.request({ method: 'GET', path: pathOf('metadata', name) })
      const parsed = metadataSchema.safeParse(answer.body)
      if (answer.status !== 200 || !parsed.success) throw refusal(answer, `to tell the versions of the ring ${ring}`)
      const { current_version: current, versions } = parsed.data.data
      const old = Object.entries(versions).filter(([version, { destroyed }]) => Number(version) < current && !destroyed)
      if (old.length === 0) return
      const body = { versions: old.map(([version]) => Number(version)) }
      const destroyed = await client.request({ method: 'POST', path: pathOf('destroy', name), body }, { repeat: true })
      if (destroyed.status >= 400) throw refusal(destroyed, `to destroy old versions of the ring ${ring}`)
    } catch (error) {
      client.emit({ type: 'vault.sweep_failed', secret: `${mount}/${path}/${name}`, error })
    }
  }

  async function read(ring: string): Promise<KeyRingDocument | undefined> {
    const stored = await lookUp(ring)
    if (!swept.has(ring) && stored !== undefined) {
      swept.add(ring)
      if (stored.secretVersion > 1) await sweep(ring)
    }
    return stored?.document
  }

  async function replace(document: KeyRingDocument): Promise<boolean> {
    const ring = document.name
    const name = secretNameOf(ring)
    const write = randomBytes(12).toString('base64url')
    const data = { ring: JSON.stringify(document), write }
    for (let writes = 1; ; writes += 1) {
      const before = await lookUp(ring)
      // An earlier try that was thought lost has arrived.
      if (before?.write === write) break
      if ((before?.document.version ?? 0) !== document.version - 1) return false
      const body = { options: { cas: before?.secretVersion ?? 0 }, data }
      try {
        const answer = await client.request({ method: 'POST', path: pathOf('data', name), body })
        if (answer.status === 200) {
          seen.set(name, writtenSchema.safeParse(answer.body).data?.data.version ?? 0)
          break
        }
        // The only 400 that is no fault: somebody else was first; or this very write, by a try thought lost.
        if (answer.status !== 400 || !answer.said.includes('check-and-set')) {
          throw refusal(answer, `to write the ring ${ring}`)
        }
        if (writes >= mostWrites) return false
      } catch (error) {
        // Whether it was done is not known: looked up before it is made again.
        if (!isKeysError(error) || error.code !== 'vault_unavailable' || writes >= mostWrites) throw error
      }
    }
    swept.add(ring)
    if (document.version > 1) await sweep(ring)
    return true
  }

  /** Rings whose secret is at another version than this process has seen, as text. */
  async function changes(): Promise<string> {
    const names = seen.size > 0 ? [...seen.keys()] : await list()
    const found = await Promise.all(
      names.map(async (name) => {
        const answer = await client.request({ method: 'GET', path: pathOf('metadata', name) })
        const current = metadataSchema.safeParse(answer.body).data?.data.current_version ?? 0
        return current === (seen.get(name) ?? 0) ? '' : `${name} ${current}\n`
      }),
    )
    return found.join('')
  }

  async function list(): Promise<string[]> {
    const answer = await client.request({ method: 'LIST', path: `${mount}/metadata/${path}` })
    return listSchema.safeParse(answer.body).data?.data.keys ?? []
  }

  return {
    read,
    replace,
    now: () => client.serverTime(),
    onChange(call) {
      let stopped = false
      let cancel = (): void => {}
      let told = ''
      async function poll(): Promise<void> {
        try {
          const found = await changes()
          if (!stopped && found !== '' && found !== told) call()
          told = found
        } catch {
          // Told by the client; an outage changes nothing.
        }
        if (!stopped) cancel = client.clock.after(pollSeconds * 1000, () => void poll())
      }
      void poll()
      return () => {
        stopped = true
        cancel()
      }
    },
  }
}
