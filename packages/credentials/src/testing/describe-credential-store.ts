import assert from 'node:assert/strict'
import type { CredentialRecord, CredentialStore } from '../ports.ts'

/** What the suite needs of a test framework: vitest's, Jest's and `node:test`'s `describe` and `it` fit. */
export interface TestRunner {
  readonly describe: (name: string, body: () => void) => unknown
  readonly it: (name: string, body: () => Promise<void>) => unknown
}

/** An empty store of its own for each test. */
export interface StoreUnderTest {
  readonly store: CredentialStore
  /** Closes the store and opens it again on the same data; absent where nothing outlives a close. */
  readonly reopen?: () => Promise<CredentialStore>
  /** A second, independent way to the same data: another connection, process or instance. */
  readonly another?: () => Promise<CredentialStore>
  /** Called once, after each test. Closes whatever `reopen` and `another` opened, too. */
  readonly close: () => Promise<void>
}

const record = (owner: string, name: string, more: Partial<CredentialRecord> = {}): CredentialRecord => ({
  owner,
  name,
  version: 1,
  createdAt: 1_700_000_000,
  updatedAt: 1_700_000_001,
  sealed: `sealed-${owner}-${name}`,
  ...more,
})

/** The suite that every {@link CredentialStore} has to pass. */
export function describeCredentialStore(name: string, open: () => Promise<StoreUnderTest>, runner: TestRunner): void {
  const test = (title: string, body: (opened: StoreUnderTest) => Promise<void>): void => {
    runner.it(title, async () => {
      const opened = await open()
      try {
        await body(opened)
      } finally {
        await opened.close()
      }
    })
  }

  runner.describe(`CredentialStore: ${name}`, () => {
    test('has one identity, for every way to it', async ({ store, reopen, another }) => {
      const identity = await store.identity()
      assert.match(identity, /^.{16,128}$/u)
      assert.equal(await store.identity(), identity)
      if (another !== undefined) assert.equal(await (await another()).identity(), identity)
      if (reopen !== undefined) assert.equal(await (await reopen()).identity(), identity)
    })

    test('reads what was written, after reopening too', async ({ store, reopen }) => {
      const written = record('ada', 'github', { version: 7, sealed: 'v1.'.padEnd(100_000, 'x') })
      assert.equal(await store.read(written), undefined)
      assert.equal(await store.replace(written, undefined), true)
      assert.deepEqual(await store.read({ owner: 'ada', name: 'github' }), written)
      if (reopen !== undefined) assert.deepEqual(await (await reopen()).read(written), written)
    })

    test('keeps owners, names, and names that differ little, apart', async ({ store }) => {
      const places = [
        ['ada', 'github'],
        ['ada', 'Github'],
        ['Ada', 'github'],
        ['ada github', 'x'],
        ['ada', 'github x'],
        ['adä', 'gïthub'],
        ["ada'; drop table credentials; --", '%'],
      ] as const
      for (const [owner, of] of places) assert.equal(await store.replace(record(owner, of), undefined), true)
      for (const [owner, of] of places) assert.deepEqual(await store.read({ owner, name: of }), record(owner, of))
    })

    test('replaces only what was read', async ({ store }) => {
      const first = record('ada', 'github')
      const second = record('ada', 'github', { version: 2, sealed: 'second' })
      assert.equal(await store.replace(second, 'something'), false)
      assert.equal(await store.replace(first, undefined), true)
      assert.equal(await store.replace(second, undefined), false)
      assert.equal(await store.replace(second, 'something'), false)
      assert.deepEqual(await store.read(first), first)
      assert.equal(await store.replace(second, first.sealed), true)
      assert.deepEqual(await store.read(first), second)
    })

    test('lets one of many writers win', async ({ store, another }) => {
      const other = (await another?.()) ?? store
      const tries = Array.from({ length: 16 }, (_, at) =>
        (at % 2 === 0 ? store : other).replace(record('ada', 'github', { sealed: `try-${at}` }), undefined),
      )
      const won = (await Promise.all(tries)).map((did, at) => (did ? `try-${at}` : '')).filter((text) => text !== '')
      assert.equal(won.length, 1)
      assert.equal((await store.read({ owner: 'ada', name: 'github' }))?.sealed, won[0])
      assert.equal((await other.read({ owner: 'ada', name: 'github' }))?.sealed, won[0])
    })

    test('removes, once', async ({ store, reopen }) => {
      await store.replace(record('ada', 'github'), undefined)
      await store.replace(record('bob', 'github'), undefined)
      assert.equal(await store.remove({ owner: 'ada', name: 'github' }), true)
      assert.equal(await store.remove({ owner: 'ada', name: 'github' }), false)
      const after = (await reopen?.()) ?? store
      assert.equal(await after.read({ owner: 'ada', name: 'github' }), undefined)
      assert.notEqual(await after.read({ owner: 'bob', name: 'github' }), undefined)
      assert.equal(await after.replace(record('ada', 'github'), undefined), true)
    })

    test("lists an owner's by name, without what is sealed", async ({ store }) => {
      for (const of of ['zeta', 'alpha', 'Beta', 'ä']) await store.replace(record('ada', of), undefined)
      await store.replace(record('bob', 'other'), undefined)
      const listed = await store.list('ada')
      assert.deepEqual(
        listed.map(({ name: of }) => of),
        ['Beta', 'alpha', 'zeta', 'ä'],
      )
      assert.deepEqual(listed[1], { name: 'alpha', version: 1, createdAt: 1_700_000_000, updatedAt: 1_700_000_001 })
      assert.deepEqual(await store.list('nobody'), [])
    })

    test('pages through all owners, each record once', async ({ store }) => {
      const all: string[] = []
      for (const owner of ['bob', 'ada', 'ä']) {
        for (let at = 0; at < 5; at += 1) {
          await store.replace(record(owner, `n${at}`), undefined)
          all.push(`${owner}/n${at}`)
        }
      }
      const seen: string[] = []
      let page = await store.page(undefined, 4)
      for (let turn = 0; turn < 10 && page.length > 0; turn += 1) {
        assert.ok(page.length <= 4)
        seen.push(...page.map(({ owner, name: of }) => `${owner}/${of}`))
        assert.equal(page[0]?.sealed, `sealed-${page[0]?.owner}-${page[0]?.name}`)
        page = await store.page(page.at(-1), 4)
      }
      assert.deepEqual(
        seen,
        all.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
      )
    })
  })
}
