import { describe, expect, it } from 'vitest'
import { NOW, testClock } from '../clock.ts'

/** Seconds gone by on either half. */
function started(settle?: () => Promise<void>) {
  const clock = testClock(settle)
  const begin = clock.monotonicMs()
  return { clock, gone: () => [clock.now() - NOW, (clock.monotonicMs() - begin) / 1000] }
}

describe('a test clock', () => {
  it('calls what falls due in order, at its time, with what that sets in turn', () => {
    const { clock, gone } = started()
    const calls: unknown[] = []
    clock.after(3_000, () => calls.push(['late', ...gone()]))
    clock.after(1_000, () => {
      calls.push(['early', ...gone()])
      clock.after(1_000, () => calls.push(['again', ...gone()]))
    })
    const cancel = clock.after(2_500, () => calls.push('cancelled'))
    cancel()
    clock.advance(10)
    expect(calls).toEqual([
      ['early', 1, 1],
      ['again', 2, 2],
      ['late', 3, 3],
    ])
    expect([gone(), clock.timers]).toEqual([[10, 10], 0])
  })

  it('waits between two calls for what the first set going', async () => {
    const calls: string[] = []
    const { clock } = started(async () => void calls.push('settled'))
    clock.after(1_000, () => calls.push('one'))
    clock.after(1_000, () => calls.push('two'))
    await clock.pass(1)
    expect(calls).toEqual(['one', 'settled', 'two', 'settled'])
  })

  it('jumps on the wall alone, and skips with no timer called', () => {
    const { clock, gone } = started()
    let calledAt: unknown
    clock.after(1_000, () => {
      calledAt = gone()
    })
    clock.jump(-60)
    expect(gone()).toEqual([-60, 0])
    clock.skip(5)
    expect([gone(), calledAt]).toEqual([[-55, 5], undefined])
    clock.advance(0)
    expect(calledAt).toEqual([-55, 5])
  })
})
