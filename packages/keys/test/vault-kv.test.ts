import { startVaultStandIn } from '@countersign-tooling/vault-stand-in'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createKeyRing, type KeyRingDocument, type KeyRingStore } from '../src/index.ts'
import { describeKeyRingStore } from '../src/testing.ts'
import { appRole, createVaultClient, vaultKv } from '../src/vault.ts'
import { claims, kekOf } from './ring-fixture.ts'
import { openWorld, policies, role, type World } from './vault-world.ts'

describeKeyRingStore(
  'Vault KV version 2',
  async () => {
    const vault = await startVaultStandIn({
      policies,
      appRoles: [{ ...role, policies: ['token-service'], ttlSeconds: 60 }],
    })
    const client = () => createVaultClient({ address: vault.address, auth: appRole(role) })
    const clients = [client(), client(), client()]
    const stores = clients.map((one) => vaultKv({ client: one, pollSeconds: 0.1 }))
    const [store, second, third] = stores as [KeyRingStore, KeyRingStore, KeyRingStore]
    return {
      store,
      another: async () => second,
      reopen: async () => third,
      close: async () => {
        for (const one of clients) await one.close()
        await vault.close()
      },
    }
  },
  { describe, it },
)

const ring = (version: number, more: Partial<KeyRingDocument> = {}): KeyRingDocument => ({
  format: 1,
  name: 'tokens',
  purpose: 'token',
  issuer: 'https://auth.example.com',
  algorithm: 'EdDSA',
  version,
  updatedAt: 1_700_000_000 + version,
  keys: [],
  ...more,
})
const secret = 'countersign/keys/tokens'

describe('vaultKv', () => {
  let world: World
  let store: KeyRingStore
  beforeEach(async () => {
    world = await openWorld()
    store = vaultKv({ client: world.client() })
  })
  afterEach(() => world.close())

  it('destroys what a new version replaces, so that no retired private key stays in an old one', async () => {
    for (const version of [1, 2, 3]) await store.replace(ring(version))
    expect(world.vault.liveVersions(secret).map(({ version }) => version)).toEqual([3])
  })

  it('destroys at the first reading what a crash has left, and with the next change what could not be destroyed', async () => {
    await store.replace(ring(1))
    world.vault.switches.only = /^secret\/destroy/
    world.vault.switches.cut = 'reset'
    const replaced = store.replace(ring(2))
    await world.clock.advance(11)
    expect(await replaced).toBe(true)
    expect(world.events.map(({ type }) => type)).toContain('vault.sweep_failed')
    expect(world.vault.liveVersions(secret)).toHaveLength(2)
    world.vault.switches.cut = false
    await world.clock.advance(2)
    await vaultKv({ client: world.client() }).read('tokens')
    expect(world.vault.liveVersions(secret)).toHaveLength(1)
  })

  it('does not begin anew when the secret was deleted or destroyed, but does when its metadata is gone', async () => {
    await store.replace(ring(1))
    world.vault.asRoot('DELETE', `secret/data/${secret}`)
    await expect(store.read('tokens')).rejects.toMatchObject({ code: 'ring_deleted' })
    await expect(store.replace(ring(1))).rejects.toMatchObject({ code: 'ring_deleted' })
    world.vault.asRoot('POST', `secret/destroy/${secret}`, { versions: [1] })
    await expect(store.read('tokens')).rejects.toMatchObject({ code: 'ring_deleted' })
    world.vault.asRoot('DELETE', `secret/metadata/${secret}`)
    expect(await store.read('tokens')).toBeUndefined()
    expect(await store.replace(ring(1))).toBe(true)
  })

  it('says at the start of a ring what is wrong with its secret, or with Vault', async () => {
    const options = { store, kek: kekOf(), issuer: 'https://auth.example.com', clock: world.clock }
    const start = () => createKeyRing({ ...options, policy: { accessTokenLifeSeconds: 600 } })
    await store.replace(ring(1))
    world.vault.asRoot('DELETE', `secret/data/${secret}`)
    await expect(start()).rejects.toMatchObject({ code: 'ring_deleted' })
    world.vault.switches.sealed = true
    await expect(world.settled(start())).rejects.toMatchObject({ code: 'vault_unavailable', retryAfterSeconds: 1 })
  })

  it('has won a write whose answer was lost, and makes one again that was lost itself', async () => {
    world.vault.switches.only = /^secret\/data/
    for (const [index, cut] of (['after', 'reset'] as const).entries()) {
      const version = index + 1
      let writes = 0
      world.vault.switches.tamper = undefined
      const before = world.vault.requests.length
      world.vault.switches.cut = false
      // Cuts the first write alone.
      const { switches } = world.vault
      const only = /^secret\/data/
      Object.defineProperty(switches, 'only', {
        configurable: true,
        writable: true,
        value: {
          test: (path: string) => {
            const last = world.vault.requests.at(-1)
            switches.cut = only.test(path) && last?.method === 'POST' && writes++ === 0 ? cut : false
            return true
          },
        },
      })
      const replaced = store.replace(ring(version))
      await world.clock.advance(1)
      expect(await replaced).toBe(true)
      const posts = world.vault.requests
        .slice(before)
        .filter(({ method, path }) => method === 'POST' && only.test(path))
      expect(posts).toHaveLength(cut === 'after' ? 1 : 2)
      expect((await store.read('tokens'))?.version).toBe(version)
    }
  })

  it('loses to whoever was first, also when its own write was cut off', async () => {
    await store.replace(ring(1))
    expect(await vaultKv({ client: world.client() }).replace(ring(2, { updatedAt: 1_700_000_009 }))).toBe(true)
    expect(await store.replace(ring(2))).toBe(false)
    expect((await store.read('tokens'))?.updatedAt).toBe(1_700_000_009)
  })

  it('tells the time by Vault', async () => {
    await store.read('tokens')
    expect(Math.abs(((await store.now?.()) ?? 0) - world.clock.now())).toBeLessThanOrEqual(1)
    await world.clock.advance(60)
    expect(Math.abs(((await store.now?.()) ?? 0) - world.clock.now())).toBeLessThanOrEqual(1)
  })

  it('stops a ring from rotating when the local clock is more than the skew from Vault, not from signing', async () => {
    const skewed = await openWorld({ now: () => 1_800_000_000 + 300 })
    const ring = await createKeyRing({
      store: vaultKv({ client: skewed.client() }),
      kek: kekOf(),
      issuer: 'https://auth.example.com',
      policy: { accessTokenLifeSeconds: 600 },
      clock: skewed.clock,
      scheduler: false,
    })
    await expect(ring.rotate()).rejects.toMatchObject({ code: 'clock_skewed' })
    expect(await ring.sign(claims)).toBeTypeOf('string')
    await skewed.settled(ring.close())
    await skewed.close()
  })

  it('does not call back for what it has read itself', async () => {
    await store.replace(ring(1))
    let calls = 0
    const stop = store.onChange?.(() => calls++)
    await world.clock.advance(12)
    expect(calls).toBe(0)
    await vaultKv({ client: world.client() }).replace(ring(2))
    await world.clock.advance(12)
    expect(calls).toBe(1)
    stop?.()
  })

  const foreign: [why: string, data: Record<string, unknown>][] = [
    ['something else', { password: 'hunter2' }],
    ['no JSON', { ring: '{', write: 'w' }],
    ['no ring', { ring: '{"format":2}', write: 'w' }],
    ['another ring', { ring: JSON.stringify(ring(1, { name: 'feed' })), write: 'w' }],
  ]
  it.each(foreign)('refuses a secret that holds %s, without showing it', async (_why, data) => {
    world.vault.asRoot('POST', `secret/data/${secret}`, { data })
    const error: unknown = await store.read('tokens').catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'ring_invalid' })
    expect(String(error)).not.toContain('hunter2')
  })

  it.each(['', '/secret', 'a//b', '../x', 'a b', 'sécret', 'x?list=true'])('refuses the mount %j', (mount) => {
    expect(() => vaultKv({ client: world.client(), mount })).toThrow(
      expect.objectContaining({ code: 'vault_misconfigured' }),
    )
  })
})
