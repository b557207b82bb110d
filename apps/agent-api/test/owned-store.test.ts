import { expect, it } from 'vitest'
import { OwnedStore, ownerOf } from '../src/owned-store.ts'

it('makes room by letting the oldest of all go, whoever has it', () => {
  const store = new OwnedStore<{ id: string }>({ perOwner: 2, total: 3 })
  expect(['a', 'b'].map((id) => store.add('x', { id }))).toEqual([true, true])
  expect(store.add('x', { id: 'c' })).toBe(false)
  expect(['c', 'd'].map((id) => store.add('y', { id }))).toEqual([true, true])
  expect(store.size).toBe(3)
  expect(store.list('x').map(({ id }) => id)).toEqual(['b'])
  expect(store.list('y').map(({ id }) => id)).toEqual(['c', 'd'])
  expect(store.add('x', { id: 'e' })).toBe(true)
  expect(store.list('x').map(({ id }) => id)).toEqual(['e'])
})

it('does nothing to what belongs to somebody else', () => {
  const store = new OwnedStore<{ id: string; text: string }>({ perOwner: 2, total: 3 })
  store.add('x', { id: 'a', text: 'mine' })
  expect(store.get('y', 'a')).toBeUndefined()
  expect(store.replace('y', { id: 'a', text: 'taken' })).toBe(false)
  expect(store.delete('y', 'a')).toBe(false)
  expect(store.get('x', 'a')).toEqual({ id: 'a', text: 'mine' })
})

it('keeps owners apart whose issuer and subject run together the same way', () => {
  expect(ownerOf({ issuer: 'https://a', subject: 'b c' })).not.toBe(ownerOf({ issuer: 'https://a b', subject: 'c' }))
})
