import assert from 'node:assert/strict'
import type { KeyRecord, KeyRingDocument } from '../document.ts'
import type { KeyRingStore } from '../ports.ts'

/** What the suite needs of a test framework: vitest's, Jest's and `node:test`'s `describe` and `it` fit. */
export interface TestRunner {
  readonly describe: (name: string, body: () => void) => unknown
  readonly it: (name: string, body: () => Promise<void>) => unknown
}

/** An empty store of its own for each test. */
export interface StoreUnderTest<Store> {
  readonly store: Store
  /** Closes the store and opens it again on the same data; absent where nothing outlives a close. */
  readonly reopen?: () => Promise<Store>
  /** A second, independent way to the same data: another connection, process or instance. */
  readonly another?: () => Promise<Store>
  /** Called once, after each test. Closes whatever `reopen` and `another` opened, too. */
  readonly close: () => Promise<void>
}

const key = (kid: string, more: Partial<KeyRecord> = {}): KeyRecord => ({
  kid,
  state: 'pending',
  publicJwk: { kty: 'OKP', alg: 'EdDSA', kid, use: 'sig', crv: 'Ed25519', x: kid },
  createdAt: 1_700_000_000,
  ...more,
})

const ring = (version: number, more: Partial<KeyRingDocument> = {}): KeyRingDocument => ({
  format: 1,
  name: 'tokens',
  purpose: 'token',
  issuer: 'https://auth.example.com',
  algorithm: 'EdDSA',
  version,
  updatedAt: 1_700_000_000 + version,
  keys: [key('first')],
  ...more,
})

/**
 * The suite that every {@link KeyRingStore} has to pass.
 *
 * @example A store of your own
 * import { describe, it } from 'vitest'
 * describeKeyRingStore('my store', async () => ({ store: await openMine(), close: async () => {} }), { describe, it })
 */
export function describeKeyRingStore(
  name: string,
  open: () => Promise<StoreUnderTest<KeyRingStore>>,
  runner: TestRunner,
): void {
  const test = (title: string, body: (opened: StoreUnderTest<KeyRingStore>) => Promise<void>): void => {
    runner.it(title, async () => {
      const opened = await open()
      try {
        await body(opened)
      } finally {
        await opened.close()
      }
    })
  }

  runner.describe(`${name}: a KeyRingStore`, () => {
    test('has no ring before one is stored', async ({ store }) => {
      assert.equal(await store.read('tokens'), undefined)
    })

    test('gives back what was stored, equal and not shared', async ({ store }) => {
      const stored = ring(1)
      assert.equal(await store.replace(stored), true)
      const read = await store.read('tokens')
      assert.deepEqual(read, stored)
      assert.notEqual(read, stored)
      assert.deepEqual(await store.read('tokens'), stored)
    })

    test('creates a ring only where there is none', async ({ store }) => {
      assert.equal(await store.replace(ring(1, { keys: [key('winner')] })), true)
      assert.equal(await store.replace(ring(1, { keys: [key('loser')] })), false)
      assert.equal((await store.read('tokens'))?.keys[0]?.kid, 'winner')
    })

    test('replaces only the version right before', async ({ store }) => {
      assert.equal(await store.replace(ring(2)), false, 'there is none to follow')
      assert.equal(await store.read('tokens'), undefined)
      for (const version of [1, 2, 3]) assert.equal(await store.replace(ring(version)), true)
      for (const version of [1, 2, 3, 5, 40]) assert.equal(await store.replace(ring(version)), false, `${version}`)
      assert.equal((await store.read('tokens'))?.version, 3)
    })

    test('lets exactly one of 50 concurrent creations win', async ({ store, another }) => {
      const stores = [store, (await another?.()) ?? store]
      const outcomes = await Promise.all(
        Array.from({ length: 50 }, async (_, i) => stores[i % 2]?.replace(ring(1, { keys: [key(`key-${i}`)] }))),
      )
      assert.equal(outcomes.filter((won) => won === true).length, 1)
      assert.equal((await store.read('tokens'))?.keys[0]?.kid, `key-${outcomes.indexOf(true)}`)
    })

    test('loses no update of concurrent read-change-replace loops', async ({ store, another }) => {
      const stores = [store, (await another?.()) ?? store]
      await store.replace(ring(1, { keys: [] }))
      const append = async (through: KeyRingStore, kid: string): Promise<void> => {
        for (;;) {
          const now = await through.read('tokens')
          assert.ok(now)
          if (await through.replace({ ...now, version: now.version + 1, keys: [...now.keys, key(kid)] })) return
        }
      }
      await Promise.all(Array.from({ length: 12 }, (_, i) => append(stores[i % 2] ?? store, `key-${i}`)))
      const end = await store.read('tokens')
      assert.equal(end?.version, 13)
      assert.equal(new Set(end?.keys.map((one) => one.kid)).size, 12)
    })

    test('keeps rings apart', async ({ store }) => {
      await store.replace(ring(1))
      await store.replace(ring(1, { name: 'feed', purpose: 'feed' }))
      await store.replace(ring(2, { name: 'feed', purpose: 'feed' }))
      assert.equal((await store.read('tokens'))?.version, 1)
      assert.equal((await store.read('feed'))?.version, 2)
      assert.equal(await store.read('Tokens'), undefined, 'names are compared exactly')
      assert.equal(await store.read('__proto__'), undefined)
    })

    test('keeps optional members, other scripts and a large ring as they are', async ({ store }) => {
      const keys = Array.from({ length: 300 }, (_, i) =>
        key(`key-${i}`, {
          state: 'revoked',
          sealedPrivateKey: 's'.repeat(1_000),
          publishedAt: 1,
          activatedAt: 2,
          retiringAt: 3,
          revokedAt: Number.MAX_SAFE_INTEGER,
          revokedReason: `stolen: "' \\ \n \u2028 ключ 鍵 🔑`,
        }),
      )
      const stored = ring(1, { name: 'ring/ключ-🔑', keys })
      assert.equal(await store.replace(stored), true)
      assert.deepEqual(await store.read(stored.name), stored)
    })

    test('shows what another one stored at once', async ({ store, another }) => {
      if (another === undefined) return
      const other = await another()
      await other.replace(ring(1))
      assert.equal((await store.read('tokens'))?.version, 1)
      assert.equal(await store.replace(ring(1)), false)
    })

    test('keeps what it acknowledged over a close', async ({ store, reopen }) => {
      if (reopen === undefined) return
      await store.replace(ring(1))
      await store.replace(ring(2))
      const again = await reopen()
      assert.deepEqual(await again.read('tokens'), ring(2))
      assert.equal(await again.replace(ring(2)), false)
      assert.equal(await again.replace(ring(3)), true)
    })

    test('calls onChange back after a change by another one, and no more once stopped', async ({ store, another }) => {
      if (store.onChange === undefined || another === undefined) return
      const other = await another()
      let calls = 0
      const stopped = store.onChange(() => calls++)
      stopped()
      await new Promise<void>((resolve) => {
        const stop = store.onChange?.(() => {
          stop?.()
          resolve()
        })
        void other.replace(ring(1))
      })
      assert.equal(calls, 0)
    })

    test('has a clock in seconds, where it has one', async ({ store }) => {
      const now = await store.now?.()
      if (now !== undefined) assert.ok(now > 1_600_000_000 && now < 10_000_000_000, `${now}`)
    })
  })
}
