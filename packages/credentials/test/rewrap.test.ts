import { describe, expect, it } from 'vitest'
import { type CredentialRecord, type CredentialStore, openCredentials } from '../src/index.ts'
import { memoryCredentialStore } from '../src/testing.ts'
import { bytes, failureOf, kekOf, kekSource, opened, text } from './fixture.ts'

const old = kekOf('kek-1', 1)
const next = kekOf('kek-2', 2)

async function filled(count: number, store = memoryCredentialStore()) {
  const { credentials } = await opened({ store, kek: kekSource(old) })
  for (let at = 0; at < count; at += 1) await credentials.of(`owner-${at % 7}`).put(`name-${at}`, bytes(`secret-${at}`))
  return store
}

describe('rewrap', () => {
  it('puts everything under the current key, so that the old one can go', async () => {
    const store = await filled(450)
    const seen: unknown[] = []
    const credentials = await openCredentials({ store, kek: kekSource(next, old) })
    const outcome = await credentials.rewrap({ onProgress: (progress) => seen.push(progress) })
    expect(outcome).toEqual({ rewrapped: 450, current: 0, failed: [] })
    expect(seen).toEqual([200, 400, 450].map((count) => ({ looked: count, rewrapped: count, failed: 0 })))
    expect(await credentials.rewrap()).toEqual({ rewrapped: 0, current: 450, failed: [] })
    const after = await openCredentials({ store, kek: kekSource(next) })
    for (let at = 0; at < 450; at += 1) {
      expect(text(await after.of(`owner-${at % 7}`).get(`name-${at}`))).toBe(`secret-${at}`)
    }
    expect((await after.of('owner-0').list())[0]).toMatchObject({ version: 1, updatedAt: 1_800_000_000 })
    const before = await openCredentials({ store, kek: kekSource(old) })
    expect(await failureOf(before.of('owner-0').get('name-0'))).toMatchObject({ code: 'kek_unknown' })
  })

  it('goes on where it was stopped', async () => {
    const store = await filled(20)
    let left = 8
    const failing: CredentialStore = {
      ...store,
      async replace(record, previous) {
        if (left === 0) throw new Error('power cut')
        left -= 1
        return store.replace(record, previous)
      },
    }
    const cut = await openCredentials({ store: failing, kek: kekSource(next, old) })
    expect(await failureOf(cut.rewrap())).toMatchObject({ message: 'power cut' })
    const again = await openCredentials({ store, kek: kekSource(next, old) })
    expect(await again.rewrap()).toEqual({ rewrapped: 12, current: 8, failed: [] })
  })

  it('leaves what it cannot open, says which, and does the rest', async () => {
    const store = await filled(3)
    const [first] = await store.page(undefined, 1)
    await store.replace({ ...(first as CredentialRecord), sealed: 'damaged' }, first?.sealed)
    const lost = await openCredentials({ store, kek: kekSource(kekOf('kek-0', 9)) })
    await lost.of('owner-9').put('lost', bytes('x'))
    const credentials = await openCredentials({ store, kek: kekSource(next, old) })
    expect(await credentials.rewrap()).toEqual({
      rewrapped: 2,
      current: 0,
      failed: [
        { owner: 'owner-0', name: 'name-0', code: 'malformed' },
        { owner: 'owner-9', name: 'lost', code: 'kek_unknown' },
      ],
    })
    expect((await store.read({ owner: 'owner-0', name: 'name-0' }))?.sealed).toBe('damaged')
  })

  it('loses no write that comes in between', async () => {
    const store = await filled(10)
    const writer = await openCredentials({ store, kek: kekSource(old) })
    let written = false
    const racing: CredentialStore = {
      ...store,
      async replace(record, previous) {
        if (!written) {
          written = true
          await writer.of(record.owner).put(record.name, bytes('newer'))
        }
        return store.replace(record, previous)
      },
    }
    const credentials = await openCredentials({ store: racing, kek: kekSource(next, old) })
    expect(await credentials.rewrap()).toEqual({ rewrapped: 10, current: 0, failed: [] })
    const after = await openCredentials({ store, kek: kekSource(next) })
    expect(text(await after.of('owner-0').get('name-0'))).toBe('newer')
  })

  it('does not bring back what is removed in between', async () => {
    const store = await filled(1)
    const racing: CredentialStore = {
      ...store,
      async replace(record, previous) {
        await store.remove(record)
        return store.replace(record, previous)
      },
    }
    const credentials = await openCredentials({ store: racing, kek: kekSource(next, old) })
    expect(await credentials.rewrap()).toEqual({ rewrapped: 0, current: 1, failed: [] })
    expect(await store.page(undefined, 1)).toEqual([])
  })
})
