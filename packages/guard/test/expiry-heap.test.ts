import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ExpiryHeap } from '../src/expiry-heap.ts'

interface One {
  readonly principal: { readonly expiresAt: number }
  place: number
}
const make = (expiresAt: number): One => ({ principal: { expiresAt }, place: -1 })
const ends = (ones: readonly One[]): number[] => ones.map((one) => one.principal.expiresAt).sort((a, b) => a - b)

it('has nobody at first', () => {
  const heap = new ExpiryHeap<One>()
  expect([heap.first, heap.all(), heap.until(Number.POSITIVE_INFINITY)]).toEqual([undefined, [], []])
})

it('knows who ends first, and who has ended by then, that second included', () => {
  const heap = new ExpiryHeap<One>()
  for (const expiresAt of [50, 30, 40, 10, 20, 60]) heap.add(make(expiresAt))
  expect(heap.first?.principal.expiresAt).toBe(10)
  expect([9, 10, 35, 60].map((seconds) => ends(heap.until(seconds)))).toEqual([
    [],
    [10],
    [10, 20, 30],
    [10, 20, 30, 40, 50, 60],
  ])
})

it('gives them up in their order, and marks who waits no more', () => {
  const heap = new ExpiryHeap<One>()
  for (let index = 0; index < 100; index++) heap.add(make((index * 37) % 100))
  const order: number[] = []
  for (let { first } = heap; first !== undefined; { first } = heap) {
    order.push(first.principal.expiresAt)
    heap.remove(first)
    expect(first.place).toBe(-1)
  }
  expect(order).toEqual(Array.from({ length: 100 }, (_, index) => index))
})

it('holds what a sorted list would, whoever comes and goes', () => {
  const step = fc.oneof(
    fc.record({ add: fc.integer({ min: 0, max: 20 }) }),
    fc.record({ remove: fc.nat({ max: 30 }), until: fc.integer({ min: -1, max: 21 }) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const heap = new ExpiryHeap<One>()
      const model: One[] = []
      for (const action of steps) {
        if ('add' in action) {
          const one = make(action.add)
          heap.add(one)
          model.push(one)
        } else {
          const [one] = model.splice(action.remove, 1)
          if (one !== undefined) heap.remove(one)
          const { until } = action
          expect(ends(heap.until(until))).toEqual(ends(model.filter(({ principal }) => principal.expiresAt <= until)))
        }
        expect(new Set(heap.all())).toEqual(new Set(model))
        expect(heap.first?.principal.expiresAt).toBe(ends(model)[0])
        expect(model.map(({ place }) => place).sort((a, b) => a - b)).toEqual(model.map((_, index) => index))
      }
    }),
  )
})
