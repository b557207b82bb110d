import type { FeedPosition, RevocationEntry, RevocationEvent } from './entry.ts'

/** What the issuer's store says of the feed at one moment, read in one transaction. */
export interface FeedRead {
  readonly position: FeedPosition
  /** Unix seconds by the store's clock (the process's where it has none): a head's `issued_at`. */
  readonly readAt: number
}

/** The issuer's side of the feed. Implemented by `@countersign/storage`; the revoking operations themselves append to it. */
export interface RevocationLog {
  /** Every entry in force. */
  snapshot(): Promise<FeedRead & { readonly entries: readonly RevocationEntry[] }>
  /** The events after `seq`, oldest first, at most `limit`; `undefined` when they are not kept any more: take the snapshot. */
  after(seq: number, limit: number): Promise<(FeedRead & { readonly events: readonly RevocationEvent[] }) | undefined>
  /** Appends on an operator's or a key ring's behalf; resolves once durable. */
  append(entries: readonly RevocationEntry[], now: number): Promise<FeedPosition>
  /** Drops entries whose `until` has passed, each by a sequenced event; at most `limit`. @returns how many */
  dropExpired(now: number, limit: number): Promise<number>
  /** Calls back (coalesced, maybe spuriously) after anything was appended by any process; the result stops it. */
  onChange(call: () => void): () => void
}

/** What a consumer says that it holds. */
export interface Acknowledgement {
  /** The consumer's audience. */
  readonly consumer: string
  /** Distinguishes processes of one consumer. */
  readonly instance: string
  /** The kids that it would accept. */
  readonly kids: readonly string[]
  readonly position: FeedPosition
}

/** Where acknowledgements rest, shared by every process of the service. */
export interface AcknowledgementStore {
  put(acknowledgement: Acknowledgement, now: number): Promise<void>
  /** Those heard of within `liveSeconds`, with when. */
  live(now: number, liveSeconds: number): Promise<readonly (Acknowledgement & { readonly at: number })[]>
}
