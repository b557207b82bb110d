import type { Principal } from '@countersign/tokens'

/** What a guard asks of revocation news, held in memory. */
export interface RevocationView {
  /** Answers at once and never throws. */
  isRevoked(principal: Principal): boolean
  /** Calls back after anything new was revoked; the result stops that. */
  onChange(call: () => void): () => void
}
