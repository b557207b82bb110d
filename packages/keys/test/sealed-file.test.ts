import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'vitest'
import { sealedFile } from '../src/file.ts'
import { describeKeyRingStore } from '../src/testing.ts'

describeKeyRingStore(
  'sealedFile',
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'countersign-rings-'))
    const writing: Promise<unknown>[] = []
    const open = (): ReturnType<typeof sealedFile> => {
      const store = sealedFile(directory)
      return {
        ...store,
        replace(document) {
          const done = store.replace(document)
          writing.push(done)
          return done
        },
      }
    }
    return {
      store: open(),
      reopen: async () => open(),
      another: async () => open(),
      async close() {
        // The suite leaves a writer to itself that only has to be heard of.
        await Promise.allSettled(writing)
        await rm(directory, { recursive: true })
      },
    }
  },
  { describe, it },
)
