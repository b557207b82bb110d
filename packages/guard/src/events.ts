import type { RejectionCode } from '@countersign/tokens'
import type { TokenAlgorithm } from './token-algorithm.ts'

/** What every decision's event has. */
export interface EventBasis {
  /** As the adapter names itself: `http`, `websocket`, `mcp`. */
  readonly surface: string
  /** Of the token's header, from a closed list; absent without a readable header. Unverified unless admitted. */
  readonly algorithm?: TokenAlgorithm
  readonly durationMs: number
}

/** What became of looking for the issuer's keys and its revocation feed. */
export type LinkEvent =
  /** Once. Without `revocationsUrl` the guard follows no feed of its own. */
  | {
      readonly type: 'issuer_found'
      readonly issuer: string
      readonly jwksUrl: string
      readonly revocationsUrl?: string
    }
  /** Each time; until it succeeds, every decision is `keys_unavailable`. */
  | { readonly type: 'issuer_failed'; readonly issuer: string; readonly cause: unknown }

/** What a guard reports. No token, no claim, nothing that a caller sent. */
export type GuardEvent =
  | (EventBasis & { readonly type: 'admitted' })
  | (EventBasis & {
      readonly type: 'denied'
      readonly code: RejectionCode
      /** The part of the token that failed, and the verifier's setting that decided; never a value out of the token. */
      readonly where?: string
      readonly setting?: string
    })
  /** No decision: `code` says that keys or revocations were not to be had, `cause` why; without a code, `cause` was thrown. */
  | (EventBasis & { readonly type: 'error'; readonly code?: RejectionCode; readonly cause: unknown })
  | LinkEvent
  | { readonly type: 'ended'; readonly reason: 'expired' | 'revoked' | 'stale' }
