import { describe, expect, it } from 'vitest'
import type { KeyRingDocument, KeyRingStore } from '../src/index.ts'
import { memoryKeyRingStore } from '../src/testing.ts'
import { createFakeClock, type FakeClock } from './fake-clock.ts'
import { claims, openRing } from './ring-fixture.ts'

/** A process that dies at its n-th write: before it is stored, or after, with the answer lost. Dead, it does nothing more. */
function dyingStore(
  inner: KeyRingStore,
  atWrite: number,
  stored: boolean,
): KeyRingStore & { readonly isDead: boolean } {
  let writes = 0
  let isDead = false
  const refuseDead = (): void => {
    if (isDead) throw new Error('dead')
  }
  return {
    get isDead() {
      return isDead
    },
    async read(name) {
      refuseDead()
      return await inner.read(name)
    },
    async replace(document) {
      refuseDead()
      writes += 1
      if (writes < atWrite) return await inner.replace(document)
      isDead = true
      if (stored) await inner.replace(document)
      throw new Error('dead')
    },
  }
}

/** From nothing to the end of a first rotation. */
async function wholeRotation(store: KeyRingStore, clock: FakeClock): Promise<void> {
  const { ring } = await openRing({ store, clock })
  try {
    await clock.advance(10)
    await clock.jump(3750)
    await ring.rotate()
    await clock.advance(10)
    await clock.jump(2400)
    await clock.advance(10)
  } finally {
    await ring.close()
  }
}

function active(document: KeyRingDocument | undefined): number {
  return document?.keys.filter(({ state }) => state === 'active').length ?? 0
}

describe('a process that dies at any write of a rotation', async () => {
  // pending, published, activated, the next pending and published, retired; and the founding before them.
  const writes = 7

  it(`makes ${writes} writes`, async () => {
    const store = memoryKeyRingStore()
    await wholeRotation(store, createFakeClock())
    expect((await store.read('tokens'))?.version).toBe(writes)
  })

  const deaths = Array.from({ length: writes }, (_, index) => [index + 1, false] as const)
  it.each([...deaths, ...deaths.map(([at]) => [at, true] as const)])(
    'at write %i (stored: %s) leaves one active key at most, and the next process finishes',
    async (atWrite, stored) => {
      const store = memoryKeyRingStore()
      const clock = createFakeClock()
      const dying = dyingStore(store, atWrite, stored)
      await wholeRotation(dying, clock).catch(() => {})
      expect(dying.isDead).toBe(true)
      const left = await store.read('tokens')
      expect(active(left)).toBe(left === undefined ? 0 : 1)

      const { ring } = await openRing({ store, clock, scheduler: false })
      await ring.resume()
      await clock.jump(3750)
      await ring.rotate()
      await ring.resume()
      await clock.jump(2400)
      await ring.resume()
      const after = await store.read('tokens')
      expect(active(after)).toBe(1)
      expect(
        after?.keys.map(({ state }) => state).filter((state) => state === 'pending' || state === 'retiring'),
      ).toEqual([])
      // Nothing that was ever stored is lost.
      for (const { kid } of left?.keys ?? []) expect(after?.keys.map((key) => key.kid)).toContain(kid)
      expect(await ring.sign(claims)).toBeTypeOf('string')
      await ring.close()
    },
  )
})
