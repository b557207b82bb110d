import type { PublicJwk } from '@countersign/tokens'

/**
 * One thing that is revoked. By id: a token, a session with everything that came of it, a signing key. By generation: every
 * token of an issuer, a client or a subject that was issued under a lower one: integers are compared, so no clock decides.
 */
export type RevocationEntry =
  | {
      readonly type: 'jti' | 'sid'
      readonly id: string
      /** Unix seconds: no token that it concerns can be valid after this, skew included. */
      readonly until: number
    }
  | {
      readonly type: 'kid'
      /** Never dropped: a thief with the key forges `iat` and chooses `exp`. */
      readonly id: string
      /** The key that signs from now on, so that verifiers hold it although their JWKS caches last minutes. */
      readonly successor?: PublicJwk
    }
  | {
      readonly type: 'client' | 'subject'
      readonly id: string
      /** Tokens that carry a lower generation are refused. */
      readonly minGeneration: number
      readonly until: number
    }
  | { readonly type: 'global'; readonly minGeneration: number; readonly until: number }

/** A change of the set, in commit order. A newer entry for the same type and id replaces the older one. */
export interface RevocationEvent {
  /** One more at each event, without gaps, assigned in the transaction that revokes. */
  readonly seq: number
  /** `drop`: its time has passed; sequenced too, so that replicas agree on count and digest. */
  readonly change: 'add' | 'drop'
  readonly entry: RevocationEntry
}

/** Where a feed stands. (epoch, seq) only grows; a restore of a backup raises the epoch. */
export interface FeedPosition {
  readonly epoch: number
  /** Of the newest event; 0: none yet. */
  readonly seq: number
}
