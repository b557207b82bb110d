export { type AgentApi, type AgentApiOptions, createAgentApi } from './create-agent-api.ts'
export { type AgentApiConsumer, consumer, type Scope } from './scopes.ts'
export { type RunningAgentApi, type StartOptions, startAgentApi } from './start-agent-api.ts'
export { type UsageEntry, UsageLog, type UsagePage } from './usage-log.ts'
