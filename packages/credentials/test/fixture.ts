import { randomBytes } from 'node:crypto'
import type { KekSource, KeyEncryptionKey } from '@countersign/sealing'
import { type CredentialStore, type Credentials, type CredentialsOptions, openCredentials } from '../src/index.ts'
import { memoryCredentialStore } from '../src/testing.ts'

export const kekOf = (id: string, byte?: number): KeyEncryptionKey => ({
  id,
  secret: byte === undefined ? new Uint8Array(randomBytes(32)) : new Uint8Array(32).fill(byte),
})

/** Seals with the first and opens with any. */
export function kekSource(...keks: [KeyEncryptionKey, ...KeyEncryptionKey[]]): KekSource & { asked: number } {
  const source = {
    asked: 0,
    current: async () => keks[0],
    async find(id: string) {
      source.asked += 1
      return keks.find((kek) => kek.id === id)
    },
  }
  return source
}

export interface Opened {
  readonly store: CredentialStore
  readonly credentials: Credentials
}

export async function opened(options: Partial<CredentialsOptions> = {}): Promise<Opened> {
  const store = options.store ?? memoryCredentialStore()
  const credentials = await openCredentials({
    kek: kekSource(kekOf('kek-1', 1)),
    now: () => 1_800_000_000,
    ...options,
    store,
  })
  return { store, credentials }
}

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
export const text = (data: Uint8Array | undefined): string | undefined => data && new TextDecoder().decode(data)

/** What a rejected promise was rejected with. */
export async function failureOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  )
}
