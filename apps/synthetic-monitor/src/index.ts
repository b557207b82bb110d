export { type FailureReason, failureReasons, type Phase, phases, remedies } from './failure.ts'
export type { PhaseResult, ProbeResult, Surface, Trigger } from './result.ts'
export { type RunningMonitor, type SyntheticMonitorOptions, startMonitor } from './start-monitor.ts'
export type { ProbeAccounts } from './walk/world.ts'
