export type { Fetch } from './endpoint.ts'
export { type FileKeyStoreOptions, fileKeyStore, type KeyStore } from './key-store.ts'
export { type PairedRunner, type PairingCode, type PairRunnerOptions, pairRunner } from './pair-runner.ts'
export {
  isRunnerError,
  RunnerError,
  type RunnerErrorCode,
  type RunnerErrorDetails,
  runnerErrorCodes,
  runnerErrorRemedies,
} from './runner-error.ts'
export { type RunnerFetch, type RunnerFetchOptions, runnerFetch } from './runner-fetch.ts'
export type { RunnerEvent } from './runner-token.ts'
