import type { Principal } from '@countersign/tokens'
import type { Coder, CoderCall } from '../coder/coder.ts'
import { leastScope, type Step, toOperation } from './steps.ts'
import type { Task } from './tasks.ts'

/** How a task ended, for whoever ran it. */
export interface TaskReport {
  readonly task: string
  readonly state: 'done' | 'failed' | 'stopped'
  readonly steps: readonly Readonly<Record<string, unknown>>[]
}

export interface RunTaskOptions {
  readonly task: Task
  readonly steps: readonly Step[]
  readonly coder: Coder
  readonly call: Omit<CoderCall, 'onProgress'> & { readonly principal: Principal }
  readonly onProgress: (done: number, message: string) => void
}

/** Runs the steps one after another, until one fails or somebody ends it. */
export async function runTask({ task, steps, coder, call, onProgress }: RunTaskOptions): Promise<TaskReport> {
  const signal = AbortSignal.any([call.signal, task.signal])
  const reports: Record<string, unknown>[] = []
  let done = 0
  const session = coder.begin({ ...call, signal, onProgress: (message) => onProgress(done, message) })
  const end = (state: TaskReport['state']): TaskReport => {
    task.end(state)
    return { task: task.id, state, steps: reports }
  }
  try {
    for (const [index, step] of steps.entries()) {
      if (signal.aborted) return end('stopped')
      task.step(index, 'running')
      onProgress(done, `${step.do} begins`)
      const operation = toOperation(step)
      const held = leastScope(call.principal.scopes, operation.scope)
      const outcome =
        held === undefined
          ? { ok: false as const, error: `scope: This step needs ${operation.scope}.` }
          : await session.run(operation, held)
      task.step(index, outcome.ok ? 'done' : 'failed')
      reports.push({ do: step.do, ...outcome })
      if (!outcome.ok) return end('failed')
      done += 1
      onProgress(done, `${step.do} is done`)
    }
    return end('done')
  } catch (error) {
    const isStopped = signal.aborted
    const report = end(isStopped ? 'stopped' : 'failed')
    if (isStopped) return report
    throw error
  } finally {
    // The coder may be gone, too.
    await session.close().catch(() => undefined)
  }
}
