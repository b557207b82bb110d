import { describe, expect, it } from 'vitest'
import type { KeyRingDocument, KeyRingStore } from '../src/index.ts'
import { memoryKeyRingStore } from '../src/testing.ts'
import { createFakeClock } from './fake-clock.ts'
import { claims, day, openRing } from './ring-fixture.ts'

/** A store that can be out of reach. */
function breakable(inner: KeyRingStore = memoryKeyRingStore()): KeyRingStore & { down: boolean } {
  const store = {
    down: false,
    async read(name: string) {
      if (store.down) throw new Error('no route to the store')
      return await inner.read(name)
    },
    async replace(document: Parameters<KeyRingStore['replace']>[0]) {
      if (store.down) throw new Error('no route to the store')
      return await inner.replace(document)
    },
  }
  return store
}

describe('while the store is out of reach', () => {
  it('signs and publishes for the lease and no longer, and goes on by itself', async () => {
    const store = breakable()
    const { ring, clock, events } = await openRing({ store })
    const { signer } = ring
    store.down = true
    await clock.advance(89)
    expect(await ring.sign(claims)).toBeTypeOf('string')
    expect(ring.jwks.body).toContain('"keys"')
    expect(ring.status().leaseLeftSeconds).toBeCloseTo(1)
    await clock.advance(2)
    await expect(ring.sign(claims)).rejects.toMatchObject({ code: 'lease_expired' })
    expect(() => ring.signer).toThrow(expect.objectContaining({ code: 'lease_expired' }))
    expect(() => signer.signSync?.(new Uint8Array(1))).toThrow(expect.objectContaining({ code: 'lease_expired' }))
    await expect(signer.sign(new Uint8Array(1))).rejects.toMatchObject({ code: 'lease_expired' })
    for (const read of [
      () => ring.jwks.body,
      () => ring.jwks.headers,
      () => ring.jwks.etag,
      () => ring.jwks.document,
    ]) {
      expect(read).toThrow(expect.objectContaining({ code: 'lease_expired' }))
    }
    expect(ring.status().leaseLeftSeconds).toBe(0)
    // A verifier in this process goes on with the keys that it has.
    expect(ring.keys.get(ring.status().activeKid ?? '')).toBeDefined()
    store.down = false
    expect(await ring.sign(claims)).toBeTypeOf('string')
    expect(ring.jwks.body).toContain('"keys"')
    const told = events.filter(({ type }) => type.startsWith('store.'))
    expect(told).toMatchObject([{ type: 'store.failed', code: 'store_failed' }, { type: 'store.recovered' }])
    await ring.close()
  })

  it('refuses commands, and says so', async () => {
    const store = breakable()
    const { ring } = await openRing({ store })
    store.down = true
    for (const command of [ring.rotate(), ring.activate('x'), ring.revoke('x', { reason: 'test' }), ring.refresh()]) {
      await expect(command).rejects.toMatchObject({ code: 'store_failed' })
    }
    await ring.close()
  })

  it('catches up on what was due', async () => {
    const store = breakable()
    const { ring, clock } = await openRing({ store })
    await clock.jump(27 * day - 50)
    store.down = true
    await clock.advance(80)
    expect(ring.status().keys[0]?.state).toBe('active')
    store.down = false
    await clock.advance(10)
    expect(ring.status().keys[0]?.state).toBe('retiring')
    await ring.close()
  })
})

it('looks again after the machine was suspended, while the monotonic clock stood still', async () => {
  const store = breakable()
  const { ring, clock } = await openRing({ store })
  clock.step(7200)
  store.down = true
  expect(() => ring.signer).toThrow(expect.objectContaining({ code: 'lease_expired' }))
  await expect(ring.sign(claims)).rejects.toMatchObject({ code: 'lease_expired' })
  store.down = false
  expect(await ring.sign(claims)).toBeTypeOf('string')
  expect(ring.signer.signSync?.(new Uint8Array(1))).toHaveLength(64)
  await ring.close()
})

it('is content when others have built on its change before the store has answered', async () => {
  const inner = memoryKeyRingStore()
  let overtake: ((document: KeyRingDocument) => Promise<void>) | undefined
  const store: KeyRingStore = {
    read: (name) => inner.read(name),
    async replace(document) {
      const won = await inner.replace(document)
      await overtake?.(document)
      return won
    },
  }
  const { ring, events } = await openRing({ store, scheduler: false })
  overtake = async (document) => {
    overtake = undefined
    await inner.replace({ ...document, version: document.version + 1 })
    await ring.refresh()
  }
  expect(await ring.rotate()).toMatchObject({ done: false, waitingFor: ['propagation'] })
  expect(events.filter(({ type }) => type === 'store.failed')).toEqual([])
  await ring.close()
})

describe('a signer that is held', () => {
  it('goes on for the lease after its key was replaced, since a request may be half way', async () => {
    const { ring, clock } = await openRing()
    const held = ring.signer
    await clock.jump(3750)
    await ring.rotate()
    expect(held.signSync?.(new Uint8Array(8))).toHaveLength(64)
    await clock.advance(89)
    expect(held.signSync?.(new Uint8Array(8))).toHaveLength(64)
    await clock.advance(2)
    expect(() => held.signSync?.(new Uint8Array(8))).toThrow(expect.objectContaining({ code: 'not_signing' }))
    expect(ring.signer.signSync?.(new Uint8Array(8))).toHaveLength(64)
    await ring.close()
  })

  it('stops at once when its key was revoked', async () => {
    const { ring } = await openRing()
    const held = ring.signer
    await ring.revoke(held.kid, { reason: 'leaked' })
    expect(() => held.signSync?.(new Uint8Array(8))).toThrow(expect.objectContaining({ code: 'not_signing' }))
    await ring.close()
  })
})

describe('a clock that steps', () => {
  it('forward by an hour and more does not let a key sign early, nor an old key go early', async () => {
    const { ring, clock } = await openRing()
    clock.step(4000)
    expect(await ring.rotate()).toMatchObject({ done: false, waitingFor: ['propagation'] })
    await clock.advance(3740)
    expect(await ring.rotate()).toMatchObject({ done: false })
    await clock.advance(10)
    expect(await ring.rotate()).toMatchObject({ done: true })
    clock.step(4000)
    await clock.advance(2300)
    expect(ring.status().keys[0]?.state).toBe('retiring')
    await clock.advance(110)
    expect(ring.status().keys[0]?.state).toBe('retired')
    await ring.close()
  })

  it('back by an hour reopens no window, in this process or the next', async () => {
    const { ring, clock, store } = await openRing()
    await clock.advance(3000)
    clock.step(-3600)
    await clock.advance(760)
    expect(await ring.rotate()).toMatchObject({ done: true })
    const stored = await store.read('tokens')
    expect(stored?.updatedAt).toBeGreaterThanOrEqual(stored?.keys[1]?.publishedAt ?? Number.POSITIVE_INFINITY)
    await ring.close()
    // The next process wakes up before the newest stored instant: nothing has elapsed for it, so everything waits longer.
    const late = createFakeClock(clock.now() - 7200)
    const { ring: next } = await openRing({ store, clock: late })
    await late.advance(2390)
    expect(next.status().keys[0]?.state).toBe('retiring')
    await late.advance(20)
    expect(next.status().keys[0]?.state).toBe('retired')
    await next.close()
  })

  it('never stores an instant before the newest one', async () => {
    const { ring, clock, store } = await openRing({ scheduler: false })
    await ring.close()
    const before = await store.read('tokens')
    const { ring: slow } = await openRing({ store, clock: createFakeClock(clock.now() - 5000), scheduler: false })
    await slow.rotate()
    const after = await store.read('tokens')
    expect(after?.keys[1]?.publishedAt).toBe(before?.updatedAt)
    await slow.close()
  })

  it('stores what would be the time without the step, when it steps back while the ring is open', async () => {
    const { ring, clock, store } = await openRing({ scheduler: false })
    const start = clock.now()
    await clock.advance(1000)
    clock.step(-900)
    await ring.rotate()
    expect((await store.read('tokens'))?.keys[1]?.publishedAt).toBe(start + 1000)
    await ring.close()
  })

  it('does not shorten the wait for a key that another process, whose clock is slow, has just published', async () => {
    const store = memoryKeyRingStore()
    const { ring, clock } = await openRing({ store, scheduler: false })
    await clock.advance(10_000)
    const slowClock = createFakeClock(clock.now() - 5000)
    const { ring: slow } = await openRing({ store, clock: slowClock, scheduler: false })
    await slow.rotate()
    await clock.advance(10)
    expect(await ring.rotate()).toMatchObject({ done: false, waitingFor: ['propagation'] })
    await clock.advance(3700)
    expect(await ring.rotate()).toMatchObject({ done: false })
    await ring.close()
    await slow.close()
  })
})

describe("a store's own clock", () => {
  it('gives the instants, and stops a rotation while the local clock is further off than the skew', async () => {
    const inner = memoryKeyRingStore()
    const clock = createFakeClock()
    let off = 30
    const store: KeyRingStore = { ...inner, now: async () => clock.now() + off }
    const { ring } = await openRing({ store, clock, scheduler: false })
    expect((await store.read('tokens'))?.keys[0]?.createdAt).toBe(clock.now() + 30)
    expect(await ring.rotate()).toMatchObject({ done: false })
    off = 61
    await expect(ring.rotate()).rejects.toMatchObject({ code: 'clock_skewed' })
    expect(await ring.sign(claims)).toBeTypeOf('string')
    await ring.revoke(ring.status().activeKid ?? '', { reason: 'a compromise does not wait for clocks' })
    await ring.close()
  })
})

describe('a store that is rolled back', () => {
  it('is not followed: no state goes back', async () => {
    const inner = memoryKeyRingStore()
    let old: Awaited<ReturnType<KeyRingStore['read']>>
    const store: KeyRingStore = { ...inner, read: async (name) => old ?? (await inner.read(name)) }
    const { ring, clock, events } = await openRing({ store })
    const earlier = await inner.read('tokens')
    await clock.jump(3750)
    await ring.rotate()
    const active = ring.status().activeKid
    old = earlier
    await clock.advance(10)
    expect(ring.status().activeKid).toBe(active)
    expect(events).toContainEqual(expect.objectContaining({ type: 'store.failed', code: 'ring_rolled_back' }))
    await clock.advance(90)
    await expect(ring.sign(claims)).rejects.toMatchObject({ code: 'lease_expired' })
    // A later version number does not make it any better.
    old = earlier && { ...earlier, version: earlier.version + 50 }
    await expect(ring.refresh()).rejects.toMatchObject({ code: 'ring_rolled_back' })
    old = undefined
    await ring.refresh()
    expect(await ring.sign(claims)).toBeTypeOf('string')
    await ring.close()
  })
})

it('keeps a key for the longest-lived tokens that any process signs', async () => {
  const store = memoryKeyRingStore()
  const clock = createFakeClock()
  const { ring: short } = await openRing({ store, clock })
  const { ring: long } = await openRing({ store, clock, policy: { accessTokenLifeSeconds: 7200 }, scheduler: false })
  await clock.jump(3750)
  await short.rotate()
  await clock.advance(7200 + 140)
  expect(short.status().keys[0]?.state).toBe('retiring')
  await clock.advance(30)
  expect(short.status().keys[0]?.state).toBe('retired')
  // The next key was activated by the one that knows nothing of it; the other has noted its life since.
  expect((await store.read('tokens'))?.keys[1]?.longestLifeSeconds).toBe(7200)
  await short.close()
  await long.close()
})

it('reads the store for an unknown key id at most once a second', async () => {
  const inner = memoryKeyRingStore()
  let reads = 0
  const store: KeyRingStore = {
    replace: (document) => inner.replace(document),
    async read(name) {
      reads += 1
      return await inner.read(name)
    },
  }
  const { ring, clock } = await openRing({ store })
  const before = reads
  await Promise.all(Array.from({ length: 300 }, (_, index) => ring.keys.load(`unknown-${index}`)))
  expect(reads - before).toBeLessThanOrEqual(1)
  clock.step(0)
  await clock.advance(1)
  await ring.keys.load('unknown')
  expect(reads - before).toBe(2)
  await ring.close()
})
