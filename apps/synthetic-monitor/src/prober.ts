import { createGuard, type IssuerGuardOptions } from '@countersign/guard'
import { type Clock, systemClock } from '@countersign/tokens'
import { createAsk } from './ask.ts'
import { Leftovers } from './leftovers.ts'
import type { ProbeResult } from './result.ts'
import { type Run, runProbe } from './run-probe.ts'
import { agentApi } from './scopes.ts'
import type { ProbeAccounts } from './walk/world.ts'

export interface ProberOptions {
  readonly issuer: string
  /** Every instance of agent-api to look at; the WebSocket is opened at the first. */
  readonly agentApis: readonly string[]
  readonly accounts: ProbeAccounts
  /** For each phase of a probe, 100 to 60,000. @default 5_000 */
  readonly timeoutMs?: number
  /** From the answer to a revocation until everybody must refuse, 100 to 60,000. @default 5_000 */
  readonly revocationMs?: number
  /** How the issuer's keys are read; under a demo key policy `{ demo: { scale } }`. */
  readonly jwks?: IssuerGuardOptions['jwks']
  readonly fetch?: typeof fetch
  readonly clock?: Clock
}

/** Makes probes; one at a time. */
export interface Prober {
  /** @throws ProbeStopped when the run's signal aborts; everything else that goes wrong is in the result */
  probe(run: Run): Promise<ProbeResult>
  /** Sessions that could not be ended yet. */
  readonly leftovers: number
  close(): Promise<void>
}

/** @throws RangeError, TypeError for options out of their bounds */
export function createProber(options: ProberOptions): Prober {
  const { accounts, clock = systemClock, fetch = globalThis.fetch, jwks } = options
  const phaseMs = bounded('timeoutMs', options.timeoutMs ?? 5_000)
  const revocationMs = bounded('revocationMs', options.revocationMs ?? 5_000)
  const [first, ...others] = options.agentApis.map(withoutSlash)
  if (first === undefined) throw new TypeError('agentApis: expected at least one')
  const issuer = withoutSlash(options.issuer)
  const control = createGuard({
    issuer: options.issuer,
    consumer: agentApi,
    clock,
    jwks: { fetch, ...jwks },
    feed: { fetch },
  })
  // From now on, not from the first probe on.
  void control.whenReady()
  const leftovers = new Leftovers(clock, phaseMs)
  const ask = createAsk(fetch)
  const world = { issuer, agentApis: [first, ...others], accounts, control, ask, clock, timeoutMs: phaseMs } as const
  return {
    probe: (run) => runProbe(world, run, { phaseMs, revocationMs }, leftovers),
    get leftovers() {
      return leftovers.size
    },
    async close() {
      await leftovers.end()
      await control.close()
    },
  }
}

const withoutSlash = (url: string): string => url.replace(/\/$/, '')

function bounded(name: string, ms: number): number {
  if (Number.isSafeInteger(ms) && ms >= 100 && ms <= 60_000) return ms
  throw new RangeError(`${name}: expected 100 to 60,000 milliseconds`)
}
