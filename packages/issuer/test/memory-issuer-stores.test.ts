import { describe, it } from 'vitest'
import { describeIssuerStores, memoryIssuerStores } from '../src/testing.ts'

describeIssuerStores('memoryIssuerStores', async () => ({ store: memoryIssuerStores(), close: async () => {} }), {
  describe,
  it,
})
