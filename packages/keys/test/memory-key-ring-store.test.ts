import { describe, it } from 'vitest'
import { describeKeyRingStore, memoryKeyRingStore } from '../src/testing.ts'

describeKeyRingStore(
  'memoryKeyRingStore',
  async () => {
    const store = memoryKeyRingStore()
    return { store, another: async () => store, close: async () => {} }
  },
  { describe, it },
)
