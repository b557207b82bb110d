import type { DenialReason } from '../denial.ts'

/**
 * What is told beside the audit table. A query cannot write, a transaction that throws keeps nothing, and a token that
 * Convex refuses never reaches a function with an identity: these three are lines of a log and no rows.
 */
export type AuthEvent =
  | {
      readonly type: 'denied'
      /** `permission` or `audit` of the function, or its kind where it has neither. */
      readonly action: string
      readonly kind: 'query' | 'rolled_back'
      readonly reason: DenialReason
      readonly user?: string
      readonly organization?: string
    }
  | { readonly type: 'token_refused'; readonly route: string }
  | { readonly type: 'unsafe_db'; readonly reason: string; readonly user?: string; readonly organization?: string }
