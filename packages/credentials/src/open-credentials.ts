import { isUint8Array } from 'node:util/types'
import type { KekSource } from '@countersign/sealing'
import { formatEnvelope, newDataKey, openSecret, parseEnvelope, sealSecret, wrapDataKey } from './envelope.ts'
import { EnvelopeKeys } from './envelope-keys.ts'
import { CredentialsError } from './errors.ts'
import { boundTo, checkName, checkPlace } from './place.ts'
import type { CredentialEntry, CredentialPlace, CredentialRecord, CredentialStore } from './ports.ts'
import { type RewrapOptions, type RewrapOutcome, rewrapAll } from './rewrap.ts'

/** Bytes of one secret: keys, tokens and passwords, not documents. */
export const maxSecretBytes = 65_536

/** How often a write is tried against others of the same credential. */
const mostTries = 16

export interface CredentialsOptions {
  readonly store: CredentialStore
  readonly kek: KekSource
  /** Credentials of one owner, and as many more as are written at the same moment. 1 to 1,000,000. @default 1_000 */
  readonly maxPerOwner?: number
  /** Data keys held for the next use; plaintext never is. 0 to 1,000,000. @default 1_000 */
  readonly heldDataKeys?: number
  /** Unix seconds. @default the machine's clock */
  now?(): number
}

/** The credentials of one owner. */
export interface OwnedCredentials {
  /**
   * Seals and stores; durable when it returns. Over an earlier one of this name.
   *
   * @throws CredentialsError `name_invalid`, `data_too_large`, `too_many`, `contended`; TypeError for what is no
   * bytes; what the store and the key-encryption key's source throw
   */
  put(name: string, secret: Uint8Array): Promise<CredentialEntry>
  /**
   * The secret in bytes of the caller's own, to be zeroed after use; undefined when there is none.
   *
   * @throws CredentialsError `name_invalid`, `malformed`, `not_authentic`, `kek_unknown`; what the store and the source throw
   */
  get(name: string): Promise<Uint8Array | undefined>
  /** Names and times, by name; opens nothing. */
  list(): Promise<readonly CredentialEntry[]>
  /** @returns whether there was one */
  remove(name: string): Promise<boolean>
}

export interface Credentials {
  /** @throws CredentialsError `name_invalid` */
  of(owner: string): OwnedCredentials
  /**
   * Wraps every data key under the current key-encryption key. Beside readers and writers, in any number of processes;
   * after a crash run it again. What cannot be opened is left as it is and reported.
   */
  rewrap(options?: RewrapOptions): Promise<RewrapOutcome>
  /** Forgets the keys. The store is the caller's to close. */
  close(): void
}

function within(value: number | undefined, usual: number, least: number, most: number, name: string): number {
  const used = value ?? usual
  if (!Number.isInteger(used) || used < least || used > most) {
    throw new RangeError(`${name} must be a whole number from ${least} to ${most}`)
  }
  return used
}

/**
 * Secrets of owners in a store, each under a data key of its own, bound to store, owner, name and version.
 *
 * @throws RangeError for limits out of bounds; what the store throws
 */
export async function openCredentials(options: CredentialsOptions): Promise<Credentials> {
  const { store, kek, now = () => Math.floor(Date.now() / 1000) } = options
  const maxPerOwner = within(options.maxPerOwner, 1_000, 1, 1_000_000, 'maxPerOwner')
  const keys = new EnvelopeKeys(kek, within(options.heldDataKeys, 1_000, 0, 1_000_000, 'heldDataKeys'))
  const identity = await store.identity()
  let closed = false

  function refuseClosed(): void {
    if (closed) throw new CredentialsError('closed', 'The credentials are closed.')
  }

  async function open(record: CredentialRecord): Promise<Buffer> {
    const bound = boundTo(identity, record)
    const envelope = parseEnvelope(record.sealed)
    return openSecret(envelope, keys.dataKeyNow(envelope) ?? (await keys.dataKey(envelope, bound)), bound)
  }

  async function sealed(place: Omit<CredentialRecord, 'sealed'>, secret: Uint8Array): Promise<CredentialRecord> {
    const wrapping = await keys.current()
    const bound = boundTo(identity, place)
    const dataKey = newDataKey()
    const parts = { ...sealSecret(secret, dataKey, bound), wrappedKey: wrapDataKey(dataKey, wrapping, bound) }
    return { ...place, sealed: formatEnvelope(wrapping.name, parts) }
  }

  async function refuseTooMany(owner: string): Promise<void> {
    const { length } = await store.list(owner)
    if (length >= maxPerOwner) throw new CredentialsError('too_many', `this owner has ${length} credentials`)
  }

  async function put(place: CredentialPlace, secret: Uint8Array): Promise<CredentialEntry> {
    refuseClosed()
    checkPlace(place)
    if (!isUint8Array(secret)) throw new TypeError('a secret is given as a Uint8Array')
    if (secret.length > maxSecretBytes) {
      throw new CredentialsError('data_too_large', `${secret.length} bytes are more than ${maxSecretBytes}`)
    }
    for (let turn = 0; turn < mostTries; turn += 1) {
      const previous = await store.read(place)
      if (previous === undefined) await refuseTooMany(place.owner)
      const updatedAt = now()
      const version = (previous?.version ?? 0) + 1
      const record = await sealed({ ...place, version, createdAt: previous?.createdAt ?? updatedAt, updatedAt }, secret)
      if (await store.replace(record, previous?.sealed)) return entryOf(record)
    }
    throw new CredentialsError('contended', `another process wrote this credential ${mostTries} times in between`)
  }

  return {
    of(owner) {
      checkName(owner, 'owner')
      return {
        put: (name, secret) => put({ owner, name }, secret),
        async get(name) {
          refuseClosed()
          checkName(name, 'name')
          const record = await store.read({ owner, name })
          return record === undefined ? undefined : open(record)
        },
        async list() {
          refuseClosed()
          return store.list(owner)
        },
        async remove(name) {
          refuseClosed()
          checkName(name, 'name')
          return store.remove({ owner, name })
        },
      }
    },
    async rewrap(asked = {}) {
      refuseClosed()
      return rewrapAll(store, keys, identity, asked)
    },
    close() {
      closed = true
      keys.forget()
    },
  }
}

function entryOf({ name, version, createdAt, updatedAt }: CredentialRecord): CredentialEntry {
  return { name, version, createdAt, updatedAt }
}
