export {
  IssuerError,
  type IssuerErrorCode,
  type IssuerErrorOptions,
  isIssuerError,
  issuerErrorCodes,
  remedies,
} from './errors.ts'
export type { IssuerEvent, OnIssuerEvent } from './events.ts'
export type { ForeignEnd, ForeignEvents, SubjectVerifier } from './exchange/policy.ts'
export type { ExchangeRefusal } from './exchange/refuse.ts'
export { consumerConfirmations } from './feed/acknowledge.ts'
export type { RevocationFeed, Sent } from './feed/feed.ts'
export type { LocalRevocations } from './feed/local-revocations.ts'
export type { SnapshotMessage } from './feed/snapshots.ts'
export { canaryPrefix } from './feed/upkeep.ts'
export type { ForeignIssuers } from './foreign-issuers.ts'
export { createIssuer } from './issuer.ts'
export type { FeedOptions, IssuerLimits, IssuerOptions } from './options.ts'
export { allPages } from './page.ts'
export { guessBits, sharedPasswordBounds, sharedPasswordFault } from './password-strength.ts'
export { passwordBounds } from './passwords.ts'
export type {
  AssertionStore,
  AuditActor,
  ClientKey,
  ClientRecord,
  ClientSecret,
  ClientStore,
  ExchangeEntry,
  ExchangeOutcome,
  Generations,
  GrantType,
  IssuedRecord,
  IssuedStore,
  IssuerAudit,
  IssuerAuditEvent,
  IssuerStores,
  LiveTokens,
  Party,
  RefreshLook,
  RefreshOutcome,
  RefreshRecord,
  SessionEndReason,
  SessionRecord,
  SessionStore,
  ThrottleRecord,
  ThrottleRule,
  ThrottleStore,
  TokenStatus,
  UserRecord,
  UserStore,
} from './ports.ts'
export type { SharedPassword, SharedPasswordOutcome, SharedSignInRequest } from './shared-password.ts'
export type {
  AcknowledgeRequest,
  BlastRadius,
  ClientCredentials,
  ClientCredentialsRequest,
  ClientInfo,
  Clients,
  FromOutside,
  Introspection,
  Issuer,
  Keys,
  NewClient,
  Page,
  ReadyReport,
  RefreshRequest,
  Requested,
  SessionCredential,
  SessionInfo,
  SessionStatus,
  Sessions,
  SignInRequest,
  Target,
  TokenAnswer,
  TokenExchangeRequest,
  TokenRequestFromOutside,
  UserInfo,
  Users,
} from './types.ts'
