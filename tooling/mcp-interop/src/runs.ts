import type { ConformanceLine } from './referees.ts'
import type { Sdk } from './rig.ts'

export type RunId = 'stable-v1' | 'stable-v2' | 'next-v1' | 'next-v2'

export interface ServerRun {
  readonly id: RunId
  readonly line: ConformanceLine
  readonly server: Sdk
  readonly protocol: '2025-11-25' | '2026-07-28'
}

/** Each line of the suite, against the fixtures by each SDK, with the newest protocol that both speak. */
export const serverRuns: readonly ServerRun[] = [
  { id: 'stable-v1', line: 'stable', server: 'v1', protocol: '2025-11-25' },
  { id: 'stable-v2', line: 'stable', server: 'v2', protocol: '2025-11-25' },
  { id: 'next-v1', line: 'next', server: 'v1', protocol: '2025-11-25' },
  { id: 'next-v2', line: 'next', server: 'v2', protocol: '2026-07-28' },
]
