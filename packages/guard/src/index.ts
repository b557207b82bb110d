export type { Freshness, FreshnessLevel } from '@countersign/revocation'
export {
  type ConsumerLike,
  createGuard,
  type GuardOptions,
  type IssuerGuardOptions,
  type VerifierGuardOptions,
} from './create-guard.ts'
export type { Decision } from './decision.ts'
export { GuardError, type GuardErrorCode, guardErrorCodes, guardRemedies, isGuardError } from './errors.ts'
export type { GuardEvent, LinkEvent } from './events.ts'
export type { AdmitRequest, Credentials, Guard, PrincipalEnd, StalenessChoice } from './guard.ts'
export type { Introspect } from './introspection.ts'
export type { IssuerFeedOptions } from './issuer-link.ts'
export type { Revocations } from './revocations.ts'
export type { Availability } from './staleness.ts'
export type { TokenAlgorithm } from './token-algorithm.ts'
