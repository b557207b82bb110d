import type { Principal, RejectionCode } from '@countersign/tokens'

/** What a guard says of a token: a principal, or the reason why not. A refusal is ordinary, so it is no exception. */
export type Decision =
  | { readonly admitted: true; readonly principal: Principal }
  | {
      readonly admitted: false
      readonly code: RejectionCode
      /** With `insufficient_scope`. */
      readonly missingScopes?: readonly string[]
      /** With `insufficient_scope`: whose token it is, for records of who was refused. */
      readonly principal?: Principal
      /** With `keys_unavailable` and `revocations_stale`. */
      readonly retryAfterSeconds?: number
    }
