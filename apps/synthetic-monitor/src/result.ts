import { type FailureReason, type Phase, remedies } from './failure.ts'

/** Who wanted the probe. */
export type Trigger = 'schedule' | 'request' | 'command'

export interface PhaseResult {
  readonly phase: Phase
  readonly ok: boolean
  readonly ms: number
}

/** Where a revocation was waited for; `exchanged` is a descendant of what was revoked. */
export const surfaces = ['feed', 'http', 'exchanged', 'websocket'] as const

export type Surface = (typeof surfaces)[number]

export interface ProbeResult {
  readonly id: string
  readonly trigger: Trigger
  /** Unix seconds. */
  readonly startedAt: number
  readonly durationMs: number
  readonly ok: boolean
  /** Those that were begun. */
  readonly phases: readonly PhaseResult[]
  readonly failure?: { readonly phase: Phase; readonly reason: FailureReason; readonly message: string }
  /** From the answer to the revocation to its effect: the slowest of each. */
  readonly revocationMs: Readonly<Partial<Record<Surface, number>>>
  /** False while a session of the probe lives on; it is tried again with the next probe, and ends with its token. */
  readonly cleanedUp: boolean
}

/** As it is told to others, in JSON. */
export function onWire(result: ProbeResult): object {
  const { id, trigger, ok, phases, failure } = result
  return {
    id,
    trigger,
    ok,
    started_at: Math.floor(result.startedAt),
    duration_ms: tenths(result.durationMs),
    phases: phases.map((each) => ({ ...each, ms: tenths(each.ms) })),
    ...(failure === undefined ? {} : { failure: { ...failure, remedy: remedies[failure.reason] } }),
    revocation_ms: Object.fromEntries(Object.entries(result.revocationMs).map(([name, ms]) => [name, tenths(ms)])),
    cleaned_up: result.cleanedUp,
  }
}

const tenths = (ms: number): number => Math.round(ms * 10) / 10
