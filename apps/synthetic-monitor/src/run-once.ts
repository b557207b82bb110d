import { randomUUID } from 'node:crypto'
import { remedies } from './failure.ts'
import { createProber, type ProberOptions } from './prober.ts'
import { onWire, type PhaseResult, type ProbeResult } from './result.ts'

export interface OnceOptions extends ProberOptions {
  /** One object instead of lines for people. */
  readonly json: boolean
  readonly write: (line: string) => unknown
  readonly signal: AbortSignal
}

/** One probe, told as it goes. @returns whether it succeeded */
export async function runOnce({ json, write, signal, ...options }: OnceOptions): Promise<boolean> {
  const prober = createProber(options)
  // What is waited for, clocks and sockets, need not keep a process alive; the one who waits does.
  const alive = setInterval(() => undefined, 60_000)
  try {
    const onPhase = (result: PhaseResult): void => void write(phaseLine(result))
    const run = { id: randomUUID(), trigger: 'command', signal, ...(json ? {} : { onPhase }) } as const
    const result = await prober.probe(run)
    write(json ? JSON.stringify(onWire(result)) : summary(result))
    return result.ok
  } finally {
    clearInterval(alive)
    await prober.close()
  }
}

function phaseLine({ phase, ok, ms }: PhaseResult): string {
  return `${ok ? '  ok  ' : ' FAIL '} ${phase.padEnd(12)} ${ms.toFixed(0).padStart(6)} ms`
}

function summary({ ok, failure, durationMs, revocationMs, cleanedUp }: ProbeResult): string {
  const delays = Object.entries(revocationMs).map(([surface, ms]) => `${surface} ${ms.toFixed(0)} ms`)
  return [
    ok ? `the probe succeeded in ${durationMs.toFixed(0)} ms` : 'the probe failed',
    ...(failure === undefined
      ? []
      : [`${failure.phase}: ${failure.reason}: ${failure.message}`, `  ${remedies[failure.reason]}`]),
    ...(delays.length === 0 ? [] : [`refused after the revocation: ${delays.join(', ')}`]),
    ...(cleanedUp ? [] : ['a session of the probe could not be ended; it ends with its token']),
  ].join('\n')
}
