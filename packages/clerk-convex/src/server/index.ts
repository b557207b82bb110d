export { type AuthStatus, type AuthStatusOptions, authStatus } from './auth-status.ts'
export { readClerkFault } from './clerk-fault.ts'
export {
  type ClerkEnd,
  type ClerkSubjects,
  type ClerkSubjectsOptions,
  clerkSubjects,
} from './clerk-subjects.ts'
export { type ClerkVerifier, clerkVerifier } from './clerk-verifier.ts'
export {
  assertClerkEnvironment,
  type ClerkEnvironment,
  checkClerkEnvironment,
  type EnvironmentProblem,
} from './environment.ts'
export { memoryWebhookLedger } from './memory-webhook-ledger.ts'
export type { ClerkVerifierEvent, ClerkVerifierOptions, MachineKind, MachineOptions } from './options.ts'
export type { WebhookDelivery, WebhookLedger, WebhookStanding } from './webhook-ledger.ts'
export {
  type WebhookRevocationOptions,
  type WebhookRevocations,
  webhookRevocations,
} from './webhook-revocations.ts'
export { type ClerkWebhooks, clerkWebhooks, type WebhookOptions, type WebhookOutcome } from './webhooks.ts'
