export { readConfig } from './config.ts'
export { consumer, implies, type Scope } from './scopes.ts'
export { type OrchestratorOptions, startOrchestrator } from './start-orchestrator.ts'
export { type RunningStandalone, type StandaloneOptions, startStandalone } from './start-standalone.ts'
