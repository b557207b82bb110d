import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Pending } from '../src/core/pending.ts'

describe('sockets that are not authenticated', () => {
  it('are asked for their address only once there are as many as one address may have, and then once', () => {
    const asked: string[] = []
    const at = (address: string) => () => {
      asked.push(address)
      return address
    }
    const pending = new Pending<number>(3)
    for (const one of [1, 2, 3]) pending.add(one, pending.placeFor(at('192.0.2.1')) ?? 'none')
    expect(asked).toEqual([])
    expect(pending.placeFor(at('192.0.2.1'))).toBeUndefined()
    expect(asked).toEqual(Array.from({ length: 4 }, () => '192.0.2.1'))
    pending.add(4, pending.placeFor(at('192.0.2.2')) ?? 'none')
    expect(asked).toHaveLength(5)
    pending.remove(2)
    expect(pending.placeFor(at('192.0.2.1'))).toBe('192.0.2.1')
    expect(asked).toHaveLength(6)
    pending.remove(1)
    expect([pending.size, pending.oldest]).toEqual([2, 3])
  })

  it('are counted as if each had been asked at once', () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ comes: fc.nat(3) }) },
      { weight: 2, arbitrary: fc.record({ goes: fc.nat(30) }) },
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), fc.integer({ min: 1, max: 5 }), (steps, most) => {
        const pending = new Pending<number>(most)
        const open: { one: number; address: string }[] = []
        for (const [one, each] of steps.entries()) {
          if ('goes' in each) {
            const [gone] = open.splice(each.goes, 1)
            // A second time too: an ending is told by whoever sees it first.
            for (const again of gone === undefined ? [] : [gone, gone]) pending.remove(again.one)
          } else {
            const address = `192.0.2.${each.comes}`
            const hasRoom = open.filter((other) => other.address === address).length < most
            const place = pending.placeFor(() => address)
            expect(place !== undefined).toBe(hasRoom)
            if (place === undefined) continue
            pending.add(one, place)
            open.push({ one, address })
          }
          expect([pending.size, pending.oldest]).toEqual([open.length, open[0]?.one])
        }
      }),
    )
  })
})
