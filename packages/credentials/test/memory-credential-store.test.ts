import { describe, it } from 'vitest'
import { describeCredentialStore, memoryCredentialStore } from '../src/testing.ts'

describeCredentialStore(
  'memoryCredentialStore',
  async () => {
    const store = memoryCredentialStore()
    return { store, another: async () => store, close: async () => undefined }
  },
  { describe, it },
)
