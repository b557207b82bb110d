import type { Clock } from '@countersign/tokens'
import { describe, expect, it } from 'vitest'
import { createMonitor } from '../src/monitor.ts'
import type { ProbeResult } from '../src/result.ts'
import type { Run } from '../src/run-probe.ts'

/** A clock whose time passes when it is told to. */
function handClock() {
  let nowMs = 0
  const timers = new Set<{ readonly at: number; readonly call: () => void }>()
  const clock: Clock = {
    now: () => nowMs / 1000,
    monotonicMs: () => nowMs,
    after(ms, call) {
      const timer = { at: nowMs + ms, call }
      timers.add(timer)
      return () => timers.delete(timer)
    },
  }
  return {
    clock,
    /** When the timers that run are due. */
    due: () => [...timers].map(({ at }) => at),
    pass(ms: number) {
      nowMs += ms
      for (const timer of [...timers].filter(({ at }) => at <= nowMs)) {
        timers.delete(timer)
        timer.call()
      }
    },
  }
}

const resultOf = ({ id, trigger }: Run): ProbeResult => ({
  id,
  trigger,
  startedAt: 0,
  durationMs: 1,
  ok: true,
  phases: [],
  revocationMs: {},
  cleanedUp: true,
})

/** A monitor whose probes end when they are told to. */
function bench(options: { random?: () => number; keep?: number; intervalMs?: number } = {}) {
  const hand = handClock()
  const runs: (Run & { end: () => Promise<void>; fail: () => Promise<void> })[] = []
  const told: ProbeResult[] = []
  let most = 0
  let now = 0
  const monitor = createMonitor({
    clock: hand.clock,
    random: () => 0.5,
    intervalMs: 60_000,
    onResult: (result) => told.push(result),
    ...options,
    probe: (run) => {
      const ended = Promise.withResolvers<ProbeResult>()
      now += 1
      most = Math.max(most, now)
      const settle = async (act: () => void) => {
        now -= 1
        act()
        await ended.promise.catch(() => undefined)
        // What follows of it.
        await new Promise((resolve) => setImmediate(resolve))
      }
      run.signal.addEventListener('abort', () => ended.reject(new Error('stopped')))
      runs.push({
        ...run,
        end: () => settle(() => ended.resolve(resultOf(run))),
        fail: () => settle(() => ended.reject(new Error('bug'))),
      })
      return ended.promise
    },
  })
  return { ...hand, monitor, runs, told, most: () => most }
}

describe('a monitor', () => {
  it('probes soon after its start, then an interval after each end, give or take a tenth', async () => {
    const { due, pass, runs, monitor } = bench()
    expect(due()).toEqual([3_000])
    pass(3_000)
    expect(runs).toHaveLength(1)
    expect(due()).toEqual([])
    pass(120_000)
    await runs[0]?.end()
    expect(due()).toEqual([123_000 + 60_000])
    pass(60_000)
    expect(runs.map(({ trigger }) => trigger)).toEqual(['schedule', 'schedule'])
    await runs[1]?.end()
    expect(monitor.results).toHaveLength(2)
  })

  it.each([
    [0, 0, 54_000],
    [0.999_999, 6_000, 66_000],
  ])('spreads many of them: random %d', async (random, first, next) => {
    const { due, pass, runs } = bench({ random: () => random })
    expect(due()[0]).toBeCloseTo(first, 0)
    pass(first)
    await runs[0]?.end()
    expect((due()[0] ?? 0) - first).toBeCloseTo(next, 0)
  })

  it('never makes two at once: who asks meanwhile gets the one that runs', async () => {
    const { monitor, pass, runs, most } = bench()
    const first = monitor.start('request')
    expect(monitor.running).toBe(first.id)
    pass(300_000)
    expect(monitor.start('request')).toBe(first)
    expect(runs).toHaveLength(1)
    await runs[0]?.end()
    expect(monitor.running).toBeUndefined()
    expect((await first.done).id).toBe(first.id)
    expect(most()).toBe(1)
  })

  it('keeps the newest results, those first', async () => {
    const { monitor, runs, told } = bench({ keep: 2 })
    for (let count = 0; count < 3; count += 1) {
      monitor.start('request')
      await runs.at(-1)?.end()
    }
    expect(monitor.results.map(({ id }) => id)).toEqual([runs[2]?.id, runs[1]?.id])
    expect(told).toHaveLength(3)
  })

  it('goes on after a probe that threw', async () => {
    const { monitor, runs, due } = bench()
    const { done } = monitor.start('request')
    await runs[0]?.fail()
    await expect(done).rejects.toThrow('bug')
    expect(due()).toEqual([60_000])
    monitor.start('request')
    expect(runs).toHaveLength(2)
  })

  it('ends with the probe under way, and makes no more', async () => {
    const { monitor, due } = bench()
    const { done } = monitor.start('request')
    await monitor.close()
    await expect(done).rejects.toThrow('stopped')
    expect(due()).toEqual([])
    expect(monitor.results).toEqual([])
    expect(() => monitor.start('request')).toThrow(expect.objectContaining({ name: 'ProbeStopped' }))
  })
})
