import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../src/index.ts'

describe('the machine’s clock', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: 1_800_000_000_250 })
  })
  afterEach(() => {
    vi.useRealTimers()
    vi.unstubAllGlobals()
  })

  it('tells the time in seconds, with their fraction', () => {
    expect(systemClock.now()).toBe(1_800_000_000.25)
  })

  it('tells what has passed in milliseconds', () => {
    const before = systemClock.monotonicMs()
    vi.advanceTimersByTime(1500)
    expect(systemClock.monotonicMs() - before).toBe(1500)
  })

  it('calls back once, after the time and not before', () => {
    const call = vi.fn()
    systemClock.after(1000, call)
    vi.advanceTimersByTime(999)
    expect(call).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(call).toHaveBeenCalledTimes(1)
    vi.advanceTimersByTime(100_000)
    expect(call).toHaveBeenCalledTimes(1)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('calls back at once where the time has passed already', () => {
    const call = vi.fn()
    systemClock.after(-5, call)
    expect(call).not.toHaveBeenCalled()
    vi.advanceTimersByTime(0)
    expect(call).toHaveBeenCalledTimes(1)
  })

  it('calls back no more once it is told so', () => {
    const call = vi.fn()
    const cancel = systemClock.after(1000, call)
    vi.advanceTimersByTime(999)
    cancel()
    vi.advanceTimersByTime(10_000)
    expect(call).not.toHaveBeenCalled()
    expect(vi.getTimerCount()).toBe(0)
  })

  const day = 86_400_000
  it('waits longer than a timer can', () => {
    const call = vi.fn()
    systemClock.after(60 * day, call)
    vi.advanceTimersByTime(60 * day - 1)
    expect(call).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1)
    expect(call).toHaveBeenCalledTimes(1)
  })

  it('can be told so in any of its turns', () => {
    const call = vi.fn()
    const cancel = systemClock.after(60 * day, call)
    vi.advanceTimersByTime(30 * day)
    cancel()
    expect(vi.getTimerCount()).toBe(0)
  })

  it.each([2_147_483_647, 2_147_483_648])('asks for no timer that fires at once instead of after %i ms', (ms) => {
    const asked = vi.spyOn(globalThis, 'setTimeout')
    systemClock.after(ms, () => {})
    vi.advanceTimersByTime(ms)
    expect(asked.mock.calls.map(([, turn]) => turn)).toEqual(ms === 2_147_483_647 ? [ms] : [2_147_483_647, 1])
    asked.mockRestore()
  })

  it('keeps no process alive', () => {
    vi.useRealTimers()
    const handles: NodeJS.Timeout[] = []
    const real = globalThis.setTimeout
    vi.stubGlobal('setTimeout', (call: () => void, ms: number) => {
      const handle = real(call, ms)
      handles.push(handle)
      return handle
    })
    const cancel = systemClock.after(60_000, () => {})
    expect(handles.map((handle) => handle.hasRef())).toEqual([false])
    cancel()
  })

  it.each([
    ['a number', 7],
    ['null', null],
    ['an object without unref', {}],
    ['one whose unref is none', { unref: 1 }],
  ])('takes a timer that is %s, as it is elsewhere than in Node', (_what, handle) => {
    const cleared = vi.fn()
    vi.stubGlobal('setTimeout', () => handle)
    vi.stubGlobal('clearTimeout', cleared)
    systemClock.after(1000, () => {})()
    expect(cleared).toHaveBeenCalledWith(handle)
  })
})
