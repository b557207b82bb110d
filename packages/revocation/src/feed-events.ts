import type { FeedPosition } from './entry.ts'
import type { RevocationError } from './errors.ts'
import type { FreshnessLevel } from './freshness.ts'
import type { Drift } from './view.ts'

/** What a follower reports. No ids of tokens, sessions or people. */
export type FeedEvent =
  | {
      readonly type: 'feed_loaded'
      readonly position: FeedPosition
      readonly entries: number
      /** Why the snapshot was taken. */
      readonly reason: 'start' | 'gap' | 'drift'
    }
  | {
      readonly type: 'feed_advanced'
      readonly position: FeedPosition
      readonly entries: number
      /** Events that were new. */
      readonly applied: number
      readonly via: FeedPath
    }
  /** How old the news are, told when the level changes. */
  | { readonly type: 'feed_freshness'; readonly level: FreshnessLevel; readonly ageSeconds: number }
  | { readonly type: 'feed_connected' }
  /** The stream ended or went silent; from now on the feed is polled each second. */
  | { readonly type: 'feed_disconnected'; readonly error?: RevocationError }
  /** Something could not be read or was refused; what is held stays in force. */
  | { readonly type: 'feed_failed'; readonly via: FeedPath; readonly error: RevocationError }
  /** By how much the own entries differed from the snapshot that then replaced them. */
  | ({ readonly type: 'feed_drifted'; readonly position: FeedPosition } & Drift)
  | { readonly type: 'feed_acknowledged'; readonly position: FeedPosition; readonly kids: number }
  /** A fault that is none of the feed: a listener threw. */
  | { readonly type: 'feed_fault'; readonly cause: unknown }

export type FeedPath = 'snapshot' | 'stream' | 'poll' | 'acknowledgement'
