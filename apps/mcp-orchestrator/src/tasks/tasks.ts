import { randomUUID } from 'node:crypto'
import type { Step } from './steps.ts'

/** Whose a task is. */
export interface Owner {
  readonly issuer: string
  readonly subject: string
}

export type TaskState = 'running' | 'done' | 'failed' | 'stopped'
export type StepState = 'waiting' | 'running' | 'done' | 'failed'

/** How a task stands; what its steps answered is for whoever ran it. */
export interface TaskView {
  readonly task: string
  readonly goal: string
  readonly state: TaskState
  /** Unix seconds. */
  readonly started_at: number
  readonly steps: readonly { readonly do: Step['do']; readonly state: StepState }[]
}

export interface Task {
  readonly id: string
  /** Aborts when somebody stops the task, or the server closes. */
  readonly signal: AbortSignal
  step(index: number, state: StepState): void
  end(state: Exclude<TaskState, 'running'>): void
}

export interface TaskLimits {
  /** Tasks at once. @default 16 */
  readonly running: number
  /** Tasks at once of one subject. @default 4 */
  readonly runningOfOne: number
  /** Tasks that are remembered after their end. @default 1_000 */
  readonly remembered: number
}

export const taskLimits: TaskLimits = { running: 16, runningOfOne: 4, remembered: 1_000 }

export class TaskFault extends Error {
  override readonly name = 'TaskFault'
  readonly reason: 'too_many_tasks' | 'no_task'
  constructor(reason: TaskFault['reason'], message: string) {
    super(message)
    this.reason = reason
  }
}

export interface Tasks {
  /** @throws TaskFault `too_many_tasks` */
  begin(owner: Owner, goal: string, steps: readonly Step[]): Task
  /** The owner's, the newest first; only of this process. */
  list(owner: Owner): readonly TaskView[]
  /** @throws TaskFault `no_task`, for another's as well */
  find(owner: Owner, id: string): TaskView
  /** @throws TaskFault `no_task` */
  stop(owner: Owner, id: string): TaskView
  close(): void
}

interface Entry {
  readonly owner: string
  readonly stop: AbortController
  readonly goal: string
  readonly startedAt: number
  readonly steps: { readonly do: Step['do']; state: StepState }[]
  state: TaskState
}

const keyOf = ({ issuer, subject }: Owner): string => JSON.stringify([issuer, subject])

export function createTasks(clock: { now(): number }, given: Partial<TaskLimits> = {}): Tasks {
  const limits = { ...taskLimits, ...given }
  const entries = new Map<string, Entry>()
  const forget = (): void => {
    const ended = [...entries].filter(([, { state }]) => state !== 'running')
    for (const [id] of ended.slice(0, Math.max(0, ended.length - limits.remembered))) entries.delete(id)
  }
  const own = (owner: Owner, id: string): Entry => {
    const entry = entries.get(id)
    if (entry?.owner === keyOf(owner)) return entry
    throw new TaskFault('no_task', 'You have no such task here.')
  }
  const view = (id: string, { goal, state, startedAt, steps }: Entry): TaskView => ({
    task: id,
    goal,
    state,
    started_at: Math.floor(startedAt),
    steps: steps.map((step) => ({ ...step })),
  })
  return {
    begin(owner, goal, steps) {
      const running = [...entries.values()].filter(({ state }) => state === 'running')
      const ofOne = running.filter((entry) => entry.owner === keyOf(owner))
      if (running.length >= limits.running || ofOne.length >= limits.runningOfOne) {
        throw new TaskFault('too_many_tasks', 'As many tasks are running as may: wait, or stop one.')
      }
      const id = randomUUID()
      const entry: Entry = {
        owner: keyOf(owner),
        stop: new AbortController(),
        goal,
        startedAt: clock.now(),
        steps: steps.map(({ do: kind }) => ({ do: kind, state: 'waiting' })),
        state: 'running',
      }
      entries.set(id, entry)
      return {
        id,
        signal: entry.stop.signal,
        step(index, state) {
          const step = entry.steps[index]
          if (step !== undefined) step.state = state
        },
        end(state) {
          entry.state = state
          forget()
        },
      }
    },
    list: (owner) =>
      [...entries]
        .filter(([, entry]) => entry.owner === keyOf(owner))
        .map(([id, entry]) => view(id, entry))
        .reverse(),
    find: (owner, id) => view(id, own(owner, id)),
    stop(owner, id) {
      const entry = own(owner, id)
      entry.stop.abort()
      return view(id, entry)
    },
    close() {
      for (const { stop } of entries.values()) stop.abort()
    },
  }
}
