export { type FakeClerk, type FakeClerkOptions, fakeClerk, type Outage } from './clerk/fake-clerk.ts'
export type { MachineTokens } from './clerk/machine-tokens.ts'
export type { NewMembership, NewOrganization, NewUser } from './clerk/records.ts'
export type { TokenOptions } from './clerk/session-claims.ts'
export type { ClerkJwk, SigningKey } from './clerk/signing-key.ts'
export type { ApiKeyJson, FakeMachine, M2MTokenJson } from './clerk/types.ts'
export type { WebhookInput } from './clerk/webhook-request.ts'
export type { World } from './clerk/world.ts'
export { createDeploymentKey, type DeploymentKey, type DeploymentKeyOptions } from './convex/deployment-key.ts'
export {
  type ConvexIdentityOptions,
  type ConvexIdentityOutcome,
  type ConvexTokenFault,
  type ConvexTokens,
  convexIdentity,
  convexTokens,
} from './convex/identity.ts'
export {
  type ConvexModules,
  type IsolationFailure,
  type IsolationPersona,
  type IsolationReport,
  type IsolationRequest,
  type IsolationWorld,
  isolationPersonas,
} from './convex/isolation/world.ts'
export { proveIsolation } from './convex/isolation.ts'
export { type ConvexLoopback, type ConvexLoopbackOptions, convexLoopback } from './convex/loopback.ts'
export { type TokenBearer, withSignJwt, withToken } from './convex/with-token.ts'
