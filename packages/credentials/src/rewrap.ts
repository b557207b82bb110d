import { formatEnvelope, parseEnvelope, wrapDataKey } from './envelope.ts'
import type { EnvelopeKeys } from './envelope-keys.ts'
import { type CredentialsErrorCode, isCredentialsError } from './errors.ts'
import { boundTo } from './place.ts'
import type { CredentialPlace, CredentialRecord, CredentialStore } from './ports.ts'

export interface RewrapOptions {
  /** After each page of records; `failed` counts what could not be opened. */
  onProgress?(progress: { readonly looked: number; readonly rewrapped: number; readonly failed: number }): void
}

export interface RewrapOutcome {
  /** Wrapped under the current key now. */
  readonly rewrapped: number
  /** Were already. */
  readonly current: number
  /** Could not be opened, or kept changing; left as they are. */
  readonly failed: readonly (CredentialPlace & { readonly code: CredentialsErrorCode })[]
}

const pageSize = 200
const mostTries = 16

export async function rewrapAll(
  store: CredentialStore,
  keys: EnvelopeKeys,
  identity: string,
  { onProgress }: RewrapOptions,
): Promise<RewrapOutcome> {
  const failed: (CredentialPlace & { code: CredentialsErrorCode })[] = []
  let rewrapped = 0
  let current = 0
  let after: CredentialPlace | undefined
  for (;;) {
    const page = await store.page(after, pageSize)
    for (const record of page) {
      const done = await rewrapOne(record)
      if (done === 'rewrapped') rewrapped += 1
      else if (done === 'current') current += 1
      else failed.push({ owner: record.owner, name: record.name, code: done })
    }
    const last = page.at(-1)
    if (last === undefined) return { rewrapped, current, failed }
    after = { owner: last.owner, name: last.name }
    onProgress?.({ looked: rewrapped + current + failed.length, rewrapped, failed: failed.length })
  }

  async function rewrapOne(seen: CredentialRecord): Promise<'rewrapped' | 'current' | CredentialsErrorCode> {
    let record: CredentialRecord | undefined = seen
    try {
      for (let turn = 0; turn < mostTries; turn += 1) {
        // Removed meanwhile: nothing of it is left under the old key.
        if (record === undefined) return 'current'
        const wrapping = await keys.current()
        const envelope = parseEnvelope(record.sealed)
        if (envelope.kekName === wrapping.name) return 'current'
        const bound = boundTo(identity, record)
        const wrappedKey = wrapDataKey(await keys.dataKey(envelope, bound), wrapping, bound)
        const sealed = formatEnvelope(wrapping.name, { ...envelope, wrappedKey })
        if (await store.replace({ ...record, sealed }, record.sealed)) return 'rewrapped'
        record = await store.read(record)
      }
      return 'contended'
    } catch (error) {
      if (isCredentialsError(error)) return error.code
      throw error
    }
  }
}
