import type { Principal } from '@countersign/tokens'
import { describe, expect, it } from 'vitest'
import type { Coder, CoderCall, Outcome } from '../src/coder/coder.ts'
import { runTask } from '../src/tasks/run-task.ts'
import { leastScope, type Step, scopeOf, toOperation } from '../src/tasks/steps.ts'
import { createTasks } from '../src/tasks/tasks.ts'

const ada = { issuer: 'http://127.0.0.1:4600', subject: 'user_ada' }
const bob = { ...ada, subject: 'user_bob' }
const list: Step = { do: 'list', path: '.', depth: 1 }
const clock = { now: () => 1_000.5 }

describe('the scope of a step', () => {
  it.each<[kind: Step['do'], scope: string]>([
    ['read', 'coder:read'],
    ['list', 'coder:read'],
    ['search', 'coder:read'],
    ['write', 'coder:write'],
    ['remove', 'coder:write'],
    ['run', 'coder:run'],
  ])('to %s is %s', (kind, scope) => {
    expect(toOperation({ do: kind } as Step).scope).toBe(scope)
    expect(scopeOf([list, { do: kind } as Step, list])).toBe(scope)
  })

  it.each([
    ['coder:read coder:write coder:run', 'coder:read', 'coder:read'],
    ['coder:run coder:write', 'coder:read', 'coder:write'],
    ['coder:run', 'coder:read', 'coder:run'],
    ['coder:read', 'coder:write', undefined],
    ['tasks:run', 'coder:read', undefined],
    ['', 'coder:run', undefined],
  ] as const)('of those held (%s) for %s is %s', (held, needed, least) => {
    expect(leastScope(new Set(held.split(' ')), needed)).toBe(least)
  })
})

describe('tasks', () => {
  it('are seen and stopped by their owner only', () => {
    const tasks = createTasks(clock)
    const { id, signal } = tasks.begin(ada, 'mine', [list])
    expect(tasks.list(ada)).toEqual([
      { task: id, goal: 'mine', state: 'running', started_at: 1_000, steps: [{ do: 'list', state: 'waiting' }] },
    ])
    expect(tasks.list(bob)).toEqual([])
    for (const act of [() => tasks.find(bob, id), () => tasks.stop(bob, id), () => tasks.find(ada, 'none')]) {
      expect(act).toThrow(expect.objectContaining({ reason: 'no_task' }))
    }
    expect(signal.aborted).toBe(false)
    tasks.stop(ada, id)
    expect(signal.aborted).toBe(true)
  })

  it('are limited: at once, of one subject, and in memory', () => {
    const tasks = createTasks(clock, { running: 3, runningOfOne: 2, remembered: 2 })
    const full = expect.objectContaining({ reason: 'too_many_tasks' })
    const mine = [tasks.begin(ada, '1', [list]), tasks.begin(ada, '2', [list])]
    expect(() => tasks.begin(ada, '3', [list])).toThrow(full)
    mine.push(tasks.begin(bob, '3', [list]))
    expect(() => tasks.begin({ ...ada, subject: 'user_eve' }, '4', [list])).toThrow(full)
    for (const task of mine) task.end('done')
    // The one that began first is forgotten.
    expect(tasks.list(ada).map(({ goal }) => goal)).toEqual(['2'])
    expect(tasks.list(bob).map(({ goal }) => goal)).toEqual(['3'])
    tasks.begin(ada, '5', [list])
  })

  it('are all stopped when the server closes', () => {
    const tasks = createTasks(clock)
    const running = [tasks.begin(ada, '1', [list]), tasks.begin(bob, '2', [list])]
    tasks.close()
    expect(running.map(({ signal }) => signal.aborted)).toEqual([true, true])
  })
})

describe('running a task', () => {
  const principal = { ...ada, scopes: new Set(['coder:read']) } as unknown as Principal
  const coderOf = (run: (call: CoderCall) => Promise<Outcome>): Coder & { closed: number } => {
    const coder = {
      closed: 0,
      begin: (call: CoderCall) => ({
        run: () => run(call),
        close: async () => {
          coder.closed += 1
        },
      }),
      close: async () => undefined,
    }
    return coder
  }
  const start = (coder: Coder, steps: readonly Step[], signal = new AbortController().signal) => {
    const tasks = createTasks(clock)
    const task = tasks.begin(ada, 'goal', steps)
    const call = { principal, signal, tokenFor: async () => 'token' }
    return { tasks, task, report: runTask({ task, steps, coder, call, onProgress: () => undefined }) }
  }

  it('asks nobody for a step whose scope is not held', async () => {
    const coder = coderOf(async () => ({ ok: true, answer: {} }))
    const { report } = start(coder, [list, { do: 'run', argv: ['ls'] }])
    expect(await report).toMatchObject({
      state: 'failed',
      steps: [{ ok: true }, { ok: false, error: 'scope: This step needs coder:run.' }],
    })
    expect(coder.closed).toBe(1)
  })

  it('is stopped with its caller, between two steps and within one', async () => {
    for (const stopAt of [1, 2]) {
      const stop = new AbortController()
      let runs = 0
      const coder = coderOf(async ({ signal }) => {
        runs += 1
        if (runs === stopAt) stop.abort()
        if (stopAt === 2) signal.throwIfAborted()
        return { ok: true, answer: {} }
      })
      const { report, tasks } = start(coder, [list, list, list], stop.signal)
      expect(await report).toMatchObject({ state: 'stopped' })
      expect(runs).toBe(stopAt)
      expect(tasks.list(ada)).toMatchObject([{ state: 'stopped' }])
    }
  })

  it('that meets a fault has failed, and says so to us', async () => {
    const coder = coderOf(() => Promise.reject(new Error('disk')))
    const { report, tasks } = start(coder, [list])
    await expect(report).rejects.toThrow('disk')
    expect(tasks.list(ada)).toMatchObject([{ state: 'failed' }])
    expect(coder.closed).toBe(1)
  })
})
