import fc from 'fast-check'
import { expect, it } from 'vitest'
import { WatchIndex } from '../src/watch-index.ts'

const [one, other, third] = [{ name: 'one' }, { name: 'other' }, { name: 'third' }]

it('finds all that are under an id, each once', () => {
  const index = new WatchIndex<object>()
  expect([...index.get('a')]).toEqual([])
  for (const watch of [one, one, other, other, third]) index.add('a', watch)
  index.add('b', other)
  expect([...index.get('a')]).toEqual([one, other, third])
  expect([...index.get('b')]).toEqual([other])
})

it("forgets an id with its last watch, and nobody else's", () => {
  const index = new WatchIndex<object>()
  index.add('a', one)
  index.remove('a', other)
  index.remove('b', one)
  expect([...index.get('a'), index.size]).toEqual([one, 1])
  index.add('a', other)
  index.remove('a', one)
  index.remove('a', third)
  expect([...index.get('a'), index.size]).toEqual([other, 1])
  index.remove('a', other)
  index.remove('a', other)
  expect([...index.get('a'), index.size]).toEqual([0])
  index.add('b', one)
  index.remove('b', one)
  expect(index.size).toBe(0)
})

it('holds what a Map of Sets would, whatever comes and goes', () => {
  const step = fc.record({
    adds: fc.boolean(),
    id: fc.constantFrom('a', 'b'),
    watch: fc.constantFrom(one, other, third),
  })
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const index = new WatchIndex<object>()
      const model = new Map<string, Set<object>>()
      for (const { adds, id, watch } of steps) {
        const held = model.get(id) ?? new Set()
        if (adds) {
          index.add(id, watch)
          model.set(id, held.add(watch))
        } else {
          index.remove(id, watch)
          held.delete(watch)
          if (held.size === 0) model.delete(id)
        }
        expect(new Set(index.get(id))).toEqual(model.get(id) ?? new Set())
      }
      expect(index.size).toBe(model.size)
    }),
  )
})
