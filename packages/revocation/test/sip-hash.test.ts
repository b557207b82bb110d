import { expect, it } from 'vitest'
import { hashHigh, hashLow, sipHash } from '../src/internal/sip-hash.ts'

// The vectors of the reference implementation: key 00 01 … 0f, message 00 01 … of each length.
const vectors: readonly [length: number, hash: string][] = [
  [0, '726fdb47dd0e0e31'],
  [1, '74f839c593dc67fd'],
  [2, '0d6c8009d9a94f5a'],
  [3, '85676696d7fb7e2d'],
  [7, 'ab0200f58b01d137'],
  [8, '93f5f5799a932462'],
  [9, '9e0082df0ba9e4b0'],
  [15, 'a129ca6149be45e5'],
  [63, '958a324ceb064572'],
]

it.each(vectors)('hashes %i bytes as the reference does', (length, hash) => {
  const key = new Int32Array(Uint8Array.from({ length: 16 }, (_, i) => i).buffer)
  // An offset, so that the start counts.
  const bytes = Uint8Array.from({ length: length + 3 }, (_, i) => i - 3)
  sipHash(key, bytes, 3, length + 3)
  const hex = (word: number) => word.toString(16).padStart(8, '0')
  expect(hex(hashHigh) + hex(hashLow)).toBe(hash)
})
