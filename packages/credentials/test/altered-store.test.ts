import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type CredentialRecord, openCredentials } from '../src/index.ts'
import { bytes, failureOf, kekOf, kekSource, opened } from './fixture.ts'

describe('an altered store', () => {
  async function attacked(change: (record: CredentialRecord, others: readonly CredentialRecord[]) => CredentialRecord) {
    const { credentials, store } = await opened()
    for (const owner of ['ada', 'bob']) {
      for (const name of ['github', 'gitlab']) await credentials.of(owner).put(name, bytes(`${owner} ${name}`))
    }
    const records = await store.page(undefined, 10)
    const [record, ...others] = records
    if (record === undefined) throw new Error('there is none')
    await store.replace({ ...change(record, others), owner: 'ada', name: 'github' }, record.sealed)
    const fresh = await openCredentials({ store, kek: kekSource(kekOf('kek-1', 1)) })
    return [await failureOf(credentials.of('ada').get('github')), await failureOf(fresh.of('ada').get('github'))]
  }

  it.each<[string, (record: CredentialRecord, others: readonly CredentialRecord[]) => CredentialRecord]>([
    ["another owner's record", (record, others) => ({ ...record, sealed: others[1]?.sealed ?? '' })],
    ['another record of the owner', (record, others) => ({ ...record, sealed: others[0]?.sealed ?? '' })],
    ['another version', (record) => ({ ...record, version: 2 })],
    ['another time of making', (record) => ({ ...record, createdAt: 1 })],
    ['another time of change', (record) => ({ ...record, updatedAt: 1 })],
  ])('%s is noticed', async (_name, change) => {
    expect(await attacked(change)).toEqual([
      expect.objectContaining({ code: 'not_authentic' }),
      expect.objectContaining({ code: 'not_authentic' }),
    ])
  })

  it("another store's record is noticed", async () => {
    const one = await opened()
    await one.credentials.of('ada').put('github', bytes('x'))
    const record = await one.store.read({ owner: 'ada', name: 'github' })
    const two = await opened()
    await two.store.replace(record as CredentialRecord, undefined)
    expect(await failureOf(two.credentials.of('ada').get('github'))).toMatchObject({ code: 'not_authentic' })
  })

  it('a wrong key-encryption key of the same name opens nothing, one of another name is asked for', async () => {
    const { credentials, store } = await opened()
    await credentials.of('ada').put('github', bytes('x'))
    const wrong = await openCredentials({ store, kek: kekSource(kekOf('kek-1', 2)) })
    expect(await failureOf(wrong.of('ada').get('github'))).toMatchObject({ code: 'not_authentic' })
    const unknown = await openCredentials({ store, kek: kekSource(kekOf('kek-2', 2)) })
    expect(await failureOf(unknown.of('ada').get('github'))).toMatchObject({ code: 'kek_unknown', message: /kek-1/u })
  })

  it('10,000 random corruptions: none is read, none crashes, none shows the secret', async () => {
    const { credentials, store } = await opened()
    const secret = 'the secret that nobody may see'
    await credentials.of('ada').put('github', bytes(secret))
    const record = (await store.read({ owner: 'ada', name: 'github' })) as CredentialRecord
    let sealed = record.sealed
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.:=+/ \0é'
    const at = fc.nat(record.sealed.length - 1)
    const corruption = fc.oneof(
      fc
        .tuple(at, fc.constantFrom(...alphabet))
        .map(([i, sign]) => record.sealed.slice(0, i) + sign + record.sealed.slice(i + 1)),
      at.map((i) => record.sealed.slice(0, i)),
      fc
        .tuple(at, fc.constantFrom(...alphabet))
        .map(([i, sign]) => record.sealed.slice(0, i) + sign + record.sealed.slice(i)),
      fc
        .tuple(at, at)
        .map(([i, j]) => record.sealed.slice(0, Math.min(i, j)) + record.sealed.slice(Math.max(i, j) + 1)),
      fc.tuple(at, at).map(([i, j]) => swapped(record.sealed, i, j)),
      fc.string({ maxLength: 300 }),
    )
    await fc.assert(
      fc.asyncProperty(corruption, async (changed) => {
        fc.pre(changed !== record.sealed)
        await store.replace({ ...record, sealed: changed }, sealed)
        sealed = changed
        const error = await failureOf(credentials.of('ada').get('github'))
        expect(error).toMatchObject({ code: expect.stringMatching(/^(?:malformed|not_authentic|kek_unknown)$/u) })
        expect(String(error)).not.toContain('secret')
      }),
      { numRuns: 10_000 },
    )
  })
})

function swapped(line: string, i: number, j: number): string {
  const signs = [...line]
  ;[signs[i], signs[j]] = [signs[j] ?? '', signs[i] ?? '']
  return signs.join('')
}
