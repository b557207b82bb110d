import { randomUUID } from 'node:crypto'
import type { CredentialPlace, CredentialRecord, CredentialStore } from '../ports.ts'

/** For tests: nothing outlives the process. */
export function memoryCredentialStore(): CredentialStore {
  const identity = randomUUID()
  const records = new Map<string, CredentialRecord>()
  const keyOf = ({ owner, name }: CredentialPlace): string => JSON.stringify([owner, name])
  const sorted = (): CredentialRecord[] =>
    [...records.values()].sort((a, b) => order(a.owner, b.owner) || order(a.name, b.name))
  return {
    identity: async () => identity,
    read: async (place) => records.get(keyOf(place)),
    async replace(record, previous) {
      if (records.get(keyOf(record))?.sealed !== previous) return false
      records.set(keyOf(record), { ...record })
      return true
    },
    remove: async (place) => records.delete(keyOf(place)),
    async list(owner) {
      const own = sorted().filter((record) => record.owner === owner)
      return own.map(({ name, version, createdAt, updatedAt }) => ({ name, version, createdAt, updatedAt }))
    },
    async page(after, limit) {
      const behind = ({ owner, name }: CredentialPlace): boolean =>
        after === undefined || (order(owner, after.owner) || order(name, after.name)) > 0
      return sorted().filter(behind).slice(0, limit)
    },
  }
}

/** By bytes of UTF-8, as databases without a language's rules do. */
const order = (one: string, other: string): number => Buffer.compare(Buffer.from(one), Buffer.from(other))
