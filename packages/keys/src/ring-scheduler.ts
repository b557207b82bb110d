import type { Clock } from '@countersign/tokens'
import type { KeyRingEvent } from './events.ts'
import { isKeysError } from './keys-error.ts'
import type { ResolvedKeyPolicy } from './policy.ts'
import type { RingCommands } from './ring-commands.ts'
import type { RingView } from './ring-view.ts'
import { type AgeLevel, ageLevel, type Step, schedule } from './schedule.ts'

export interface RingSchedulerOptions {
  readonly name: string
  readonly view: RingView
  readonly commands: RingCommands
  readonly clock: Clock
  readonly policy: ResolvedKeyPolicy
  /** false: only looks at the store, and tells of the key's age. */
  readonly rotates: boolean
  readonly emit: (event: KeyRingEvent) => void
}

export interface RingScheduler {
  /** Takes what is due now. Rejects with the first step's failure, after having tried the others. */
  resume(): Promise<void>
  /** Stops, and resolves when a look that was under way is over. */
  close(): Promise<void>
}

/** A whole rotation is three steps; more in one look means that something undoes them. */
const mostStepsPerLook = 8

/** Looks at the store again and again, and takes whatever step of the schedule is due. Any number of processes may do so. */
export function startRingScheduler(options: RingSchedulerOptions): RingScheduler {
  const { name, view, commands, clock, policy, rotates, emit } = options
  const told = new Set<string>()
  let ageTold: string | undefined
  let closed = false
  let cancel = (): void => {}

  /** Takes each due step once, those too that come due by others; one that fails or has to wait blocks no other. */
  async function takeDue(): Promise<unknown[]> {
    const failures: unknown[] = []
    const tried = new Set<string>()
    const nameOf = (step: Step): string => `${step.kind} ${step.kind === 'mint' ? '' : step.kid}`
    for (let steps = 0; !closed && steps < mostStepsPerLook; steps += 1) {
      const due = schedule(view.snapshot.document, policy, view.ages)
      const step = due.find((one) => one.inSeconds <= 0 && !tried.has(nameOf(one)))
      if (step === undefined) break
      tried.add(nameOf(step))
      try {
        await commands.take(step)
        for (const one of told) if (one.startsWith(`${step.kind} `)) told.delete(one)
      } catch (error) {
        failures.push(error)
        const code = isKeysError(error) ? error.code : 'step_failed'
        const once = `${step.kind} ${code}`
        if (!told.has(once)) emit({ type: 'schedule.failed', ring: name, step: step.kind, code, error })
        told.add(once)
      }
    }
    return failures
  }

  function tellAge(): void {
    const { active } = view.snapshot
    const ageSeconds = view.ages.signingFor(active)
    const level: AgeLevel = ageLevel(ageSeconds, policy)
    if (level !== 'ok' && ageTold !== `${active.kid} ${level}`) {
      ageTold = `${active.kid} ${level}`
      emit({ type: 'key.age', ring: name, kid: active.kid, level, ageSeconds })
    }
  }

  let settling = true
  async function settleSigner(): Promise<void> {
    try {
      await commands.settleSigner()
      settling = true
    } catch (error) {
      if (settling) emit({ type: 'signer.failed', ring: name, error })
      settling = false
    }
  }

  async function look(): Promise<void> {
    try {
      await view.refresh()
    } catch {
      return // told by the view; a step on an old version would only lose its race
    }
    // Another process may have activated a key without knowing how long this one lets tokens live.
    await commands.noteLife().catch(() => {})
    if (rotates) {
      await takeDue()
      await settleSigner()
    }
    tellAge()
  }

  let looking: Promise<void> = Promise.resolve()
  function arm(seconds: number): void {
    if (closed) return
    cancel = clock.after(seconds * 1000, () => {
      looking = look().finally(() => arm(policy.pollSeconds))
    })
  }
  arm(0)

  return {
    async resume() {
      await view.refresh()
      const [first] = await takeDue()
      await settleSigner()
      if (first !== undefined) throw first
    },
    async close() {
      closed = true
      cancel()
      await looking
    },
  }
}
