export type { RefusalCode, RunnerDecision, RunnerNeed, RunnerPrincipal } from './admit.ts'
export { createRunnerTokens, type RunnerTokens } from './create-runner-tokens.ts'
export type { TokenAnswer } from './issue.ts'
export { memoryRunnerStore } from './memory-runner-store.ts'
export type { Grants, RunnerAuditEntry, RunnerClaims, RunnerTokensOptions } from './options.ts'
export type { Approver, DeviceAuthorization, PairingRequest } from './pairing.ts'
export {
  isRunnerRefusal,
  type RunnerRefusalCode,
  RunnerRefused,
  runnerRefusalCodes,
  runnerRemedies,
} from './runner-refused.ts'
export { type RunnerSignerOptions, runnerProfile, runnerSigner } from './runner-signer.ts'
export type { Pairing, Runner, RunnerStore } from './runner-store.ts'
