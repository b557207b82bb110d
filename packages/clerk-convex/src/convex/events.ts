import type { DenialReason } from '../denial.ts'
import type { RefusalCode } from '../runner/index.ts'

/**
 * What is told beside the audit table. A query cannot write, a transaction that throws keeps nothing, and a token that
 * Convex refuses never reaches a function with an identity: these three are lines of a log and no rows.
 */
export type AuthEvent =
  | {
      readonly type: 'denied'
      /** `permission` or `audit` of the function, or its kind where it has neither. */
      readonly action: string
      /** `unwritten`: of nobody or no member, beyond the rows that such a denial may have in an hour. */
      readonly kind: 'query' | 'rolled_back' | 'unwritten'
      readonly reason: DenialReason
      readonly user?: string
      readonly organization?: string
    }
  | { readonly type: 'token_refused'; readonly route: string }
  /** Beyond the rows that refusals of a runner, of a person or of strangers may have in an hour. */
  | {
      readonly type: 'runner_refused'
      readonly at: 'device_authorization' | 'token' | 'resource' | 'person'
      readonly code: RefusalCode
      readonly runner?: string
      readonly user?: string
    }
  | { readonly type: 'unsafe_db'; readonly reason: string; readonly user?: string; readonly organization?: string }
