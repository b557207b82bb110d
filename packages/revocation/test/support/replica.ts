import {
  type FeedPosition,
  type RevocationEntry,
  type RevocationEvent,
  type Snapshot,
  writeSnapshotBody,
} from '../../src/index.ts'

export async function snapshotOf(position: FeedPosition, entries: Iterable<RevocationEntry>): Promise<Snapshot> {
  const body = await writeSnapshotBody(entries)
  return { position, count: body.count, digest: body.digest, entries: body.bytes }
}

export const empty = (): Promise<Snapshot> => snapshotOf({ epoch: 1, seq: 0 }, [])

/** Additions that follow `after`. */
export function events(after: number, ...entries: RevocationEntry[]): RevocationEvent[] {
  return entries.map((entry, index) => ({ seq: after + 1 + index, change: 'add', entry }))
}

export const keyOf = (entry: RevocationEntry): string => `${entry.type} ${'id' in entry ? entry.id : ''}`

/** What a set of entries is after events, by the plainest means. */
export function replay(events: readonly RevocationEvent[]): RevocationEntry[] {
  const held = new Map<string, RevocationEntry>()
  for (const { change, entry } of events) {
    if (change === 'add') held.set(keyOf(entry), entry)
    else held.delete(keyOf(entry))
  }
  return [...held.values()]
}
