export { type Auth, type AuthFunctions, defineAuth } from './define-auth.ts'
export type {
  ActionContext,
  Builders,
  MutationContext,
  OrgQueryDefinition,
  OrgWriteDefinition,
  QueryContext,
  UserQueryDefinition,
  UserWriteDefinition,
} from './definitions.ts'
export type { AuthEvent } from './events.ts'
export { type FunctionCard, readCard } from './function-card.ts'
export type {
  AuthOptions,
  IdentityOptions,
  RetentionOptions,
  Roles,
  StepUpOptions,
  TenantRule,
  TenantRules,
} from './options.ts'
export {
  type ExplicitPrincipal,
  explicitPrincipal,
  type OrgPrincipal,
  type RunnerHold,
  type UserPrincipal,
} from './principal.ts'
export type { CurrentUser, RouteOptions, StatusRouteOptions, WebhookRouteOptions } from './routes.ts'
export type { CallAsRunner, OrgFunction, RunnerAction } from './runner/action.ts'
export type {
  RunnerActionDefinition,
  RunnerDeployment,
  RunnerFunctions,
  RunnerLimits,
  RunnerRouteOptions,
  Runners,
  RunnerView,
  SessionVerifier,
} from './runner/options.ts'
export { type RunnerTables, runnerTables } from './runner/tables.ts'
export type { Swept } from './sweep.ts'
export { type AuditRow, type AuthDataModel, type AuthTables, authTables } from './tables.ts'
export type { TenantDocument, TenantQuery, TenantReader, TenantTable, TenantWriter } from './tenant-types.ts'
export { principalValidator } from './validators.ts'
