import type { KeyRing } from '@countersign/keys'
import { type FeedPosition, signSnapshot, writePosition, writeSnapshotBody } from '@countersign/revocation'
import type { Context } from '../context.ts'

export interface SnapshotMessage {
  readonly bytes: Uint8Array
  readonly position: FeedPosition
  /** Strong, quoted. */
  readonly etag: string
}

export interface Snapshots {
  /** The newest, or one that is a little older where making one takes long: its reader goes on from there. */
  of(now: FeedPosition): Promise<SnapshotMessage>
}

/** Making snapshots may take this part of the time at most. */
const share = 1 / 20
const longestKeptMs = 10_000

/** Snapshots as they are asked for: made once for a position, by one at a time. */
export function createSnapshots(context: Context, ring: KeyRing): Snapshots {
  const { clock, stores } = context
  let made: { readonly message: SnapshotMessage; readonly keptUntilMs: number } | undefined
  let making: Promise<SnapshotMessage> | undefined

  async function make(): Promise<SnapshotMessage> {
    const startedMs = clock.monotonicMs()
    const { position, readAt, entries } = await stores.revocations.snapshot()
    const body = await writeSnapshotBody(entries)
    const bytes = await signSnapshot({ issuer: context.issuer, position, issuedAt: readAt }, body, ring.signer)
    const message = { bytes, position, etag: `"${writePosition(position)}"` }
    const now = clock.monotonicMs()
    made = { message, keptUntilMs: now + Math.min(longestKeptMs, (now - startedMs) / share) }
    return message
  }

  return {
    of(now) {
      const isNewest = made?.message.position.epoch === now.epoch && made.message.position.seq >= now.seq
      if (made !== undefined && (isNewest || clock.monotonicMs() < made.keptUntilMs)) {
        return Promise.resolve(made.message)
      }
      making ??= make().finally(() => {
        making = undefined
      })
      return making
    },
  }
}
