import { createVerifier } from '@countersign/tokens'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createKeyRing, type KeyRing, type KeyRingEvent, type KeyRingOptions } from '../src/index.ts'
import { memoryKeyRingStore } from '../src/testing.ts'
import { kekFromVault, type VaultTransitOptions, vaultKv, vaultTransit } from '../src/vault.ts'
import { claims, issuer, kekOf, kidOf } from './ring-fixture.ts'
import { openWorld, type World } from './vault-world.ts'

let world: World
let rings: KeyRing[]
let events: KeyRingEvent[]
beforeEach(async () => {
  world = await openWorld()
  rings = []
  events = []
})
afterEach(async () => {
  for (const ring of rings) await world.settled(ring.close())
  await world.close()
})

type Options = Partial<KeyRingOptions> & { readonly transit?: Partial<VaultTransitOptions> }

/** A ring that signs in transit; its document is in memory, unless told otherwise. */
async function open({ transit, ...options }: Options = {}): Promise<KeyRing> {
  const ring = await createKeyRing({
    store: memoryKeyRingStore(),
    signer: vaultTransit({ client: world.client(), keyName: 'tokens', ...transit }),
    issuer,
    policy: { accessTokenLifeSeconds: 600 },
    onEvent: (event) => events.push(event),
    clock: world.clock,
    ...options,
  })
  rings.push(ring)
  await world.clock.advance(0)
  await world.until(() => ring.jwks.document.keys.length > 1)
  return ring
}

const verifierOf = (ring: KeyRing) =>
  createVerifier({ issuer, audience: claims.aud, keys: ring.keys, clock: world.clock })
const key = (): Record<string, number> =>
  (world.vault.asRoot('GET', 'transit/keys/tokens').body as { data: Record<string, number> }).data
const signed = () => world.vault.requests.filter(({ path }) => path === 'transit/sign/tokens').map(({ body }) => body)

describe('a ring that signs in transit', () => {
  it('signs tokens that verify; its document holds no private key', async () => {
    const store = memoryKeyRingStore()
    const ring = await open({ store })
    const token = await ring.sign(claims)
    expect((await verifierOf(ring).verify(token)).subject).toBe('user_1')
    const document = await store.read('tokens')
    expect(document?.keys[0]).toMatchObject({ heldIn: { backend: 'transit:transit/tokens', reference: 'v1' } })
    expect(JSON.stringify(document)).not.toMatch(/sealedPrivateKey|"d"/)
    expect(signed()[0]).toEqual({ input: expect.any(String), key_version: 1, marshaling_algorithm: 'jws' })
    expect(ring.signer.signSync).toBeUndefined()
  })

  it.each(['jws', 'asn1'] as const)('takes signatures in the encoding %s, whatever it asked for', async (encoding) => {
    const ring = await open()
    world.vault.switches.encoding = encoding
    const verifier = verifierOf(ring)
    for (let times = 0; times < 20; times += 1) await verifier.verify(await ring.sign(claims))
  })

  it('rotates: N + 1 published while N signs, pinned after W, older versions closed after O, destroyed one rotation later', async () => {
    const ring = await open()
    const { clock } = world
    const first = ring.status().activeKid
    expect(key()).toMatchObject({ latest_version: 2 })
    expect(ring.jwks.document.keys).toHaveLength(2)
    await clock.advance(3700, 5000)
    expect(await ring.rotate()).toMatchObject({ done: false })
    await ring.sign(claims)
    expect(signed().at(-1)).toMatchObject({ key_version: 1 })
    await clock.advance(60, 5000)
    expect(await ring.rotate()).toMatchObject({ done: true, previousKid: first })
    const token = await ring.sign(claims)
    expect(signed().at(-1)).toMatchObject({ key_version: 2 })
    expect(key()).toMatchObject({ min_encryption_version: 1, min_decryption_version: 1 })
    await clock.advance(2420, 5000)
    await world.until(() => key().min_decryption_version === 2)
    expect(ring.status().keys[0]?.state).toBe('retired')
    expect(key()).toMatchObject({ min_encryption_version: 2, min_decryption_version: 2, min_available_version: 0 })
    expect(kidOf(await ring.sign(claims))).toBe(kidOf(token))
    // The next one.
    await clock.advance(3760, 5000)
    expect(await ring.rotate()).toMatchObject({ done: true })
    await clock.advance(2420, 5000)
    await world.until(() => key().min_available_version === 2)
    expect(key()).toMatchObject({ min_encryption_version: 3, min_decryption_version: 3, min_available_version: 2 })
    expect(signed().every(({ key_version }) => typeof key_version === 'number')).toBe(true)
    await verifierOf(ring).verify(await ring.sign(claims))
  })

  it('does not change its signing key when somebody else rotates, and takes up what they made when it needs a key', async () => {
    const ring = await open()
    const kid = ring.status().activeKid
    for (let times = 0; times < 5; times += 1) world.vault.rotateTransitKey('tokens')
    await world.clock.advance(30, 1000)
    const token = await ring.sign(claims)
    expect(kidOf(token)).toBe(kid)
    await verifierOf(ring).verify(token)
    expect(ring.jwks.document.keys).toHaveLength(2)
    await world.clock.advance(3760, 5000)
    const rotations = world.asked('transit/keys/tokens/rotate')
    await ring.rotate()
    await world.clock.advance(20, 5000)
    await world.until(() => ring.jwks.document.keys.length === 3)
    expect(world.asked('transit/keys/tokens/rotate')).toBe(rotations)
    expect(ring.jwks.document.keys).toHaveLength(3)
    await verifierOf(ring).verify(await ring.sign(claims))
  })

  it('rotates once when the answer to the rotation is lost', async () => {
    world.vault.switches.only = /rotate$/
    world.vault.switches.cut = 'after'
    const opening = open()
    await world.clock.advance(5)
    const ring = await opening
    expect(world.asked('transit/keys/tokens/rotate')).toBe(1)
    expect(key().latest_version).toBe(2)
    expect(ring.jwks.document.keys).toHaveLength(2)
  })

  it('founds one ring from 20 processes at once, with any number of versions left over', async () => {
    const store = memoryKeyRingStore()
    const opened = await Promise.all(Array.from({ length: 20 }, () => open({ store })))
    expect(new Set(opened.map((ring) => ring.status().activeKid)).size).toBe(1)
    const document = await store.read('tokens')
    expect(document?.keys.filter(({ state }) => state === 'active')).toHaveLength(1)
    const [ring] = opened
    if (ring !== undefined) await verifierOf(ring).verify(await ring.sign(claims))
  })

  it('revokes the leaked key alone, since the store holds no private keys: the standby signs, the version is closed', async () => {
    const ring = await open()
    const [first, second] = ring.status().keys.map(({ kid }) => kid)
    await world.clock.advance(20)
    const outcome = await ring.revoke(first ?? '', { reason: 'leaked' })
    expect(outcome).toEqual({ revokedKids: [first], activeKid: second })
    await world.clock.advance(20)
    await world.until(() => key().min_decryption_version === 2)
    expect(key()).toMatchObject({ min_encryption_version: 2, min_decryption_version: 2 })
    expect(kidOf(await ring.sign(claims))).toBe(second)
  })

  it('takes over a ring of sealed keys by a rotation, and refuses one that it cannot open', async () => {
    const own = memoryKeyRingStore()
    const before = await createKeyRing({
      store: own,
      kek: kekOf(),
      issuer,
      policy: { accessTokenLifeSeconds: 600 },
      clock: world.clock,
      scheduler: false,
    })
    rings.push(before)
    const token = await before.sign(claims)
    const after = await open({ store: own, kek: kekOf() })
    await verifierOf(after).verify(token)
    expect(await after.sign(claims)).toSatisfy((one: string) => kidOf(one) === kidOf(token))
    await world.clock.advance(3760, 5000)
    expect(await after.rotate()).toMatchObject({ done: true })
    await verifierOf(after).verify(await after.sign(claims))
    expect((await own.read('tokens'))?.keys.map(({ heldIn }) => heldIn !== undefined)).toContain(true)
    await expect(open({ store: own })).rejects.toMatchObject({ code: 'signer_invalid' })
  })

  it('wants a kek or a signer, and says so when it has no kek to seal anew under', async () => {
    await expect(
      createKeyRing({ store: memoryKeyRingStore(), issuer, policy: { accessTokenLifeSeconds: 600 } }),
    ).rejects.toMatchObject({ code: 'signer_invalid' })
    await expect((await open()).rewrap()).rejects.toMatchObject({ code: 'signer_invalid' })
  })
})

describe('what transit must not get away with', () => {
  const unfit: [why: string, prepare: () => void, code: string][] = [
    [
      'derived',
      () => world.vault.asRoot('POST', 'transit/keys/tokens', { type: 'ed25519', derived: true }),
      'transit_key_unfit',
    ],
    [
      'of another type',
      () => world.vault.asRoot('POST', 'transit/keys/tokens', { type: 'aes256-gcm96' }),
      'transit_key_unfit',
    ],
    [
      'described in another form',
      () => {
        world.vault.switches.tamper = (path, answer) =>
          path === 'transit/keys/tokens' ? { status: 200, body: { data: {} } } : answer
      },
      'vault_answer_invalid',
    ],
    [
      'not of 32 bytes',
      () => {
        world.vault.asRoot('POST', 'transit/keys/tokens', { type: 'ed25519' })
        world.vault.switches.tamper = (path, answer) =>
          path === 'transit/keys/tokens'
            ? {
                status: 200,
                body: JSON.parse(JSON.stringify(answer.body).replace(/"public_key":"[^"]+"/, '"public_key":"AAAA"')),
              }
            : answer
      },
      'vault_answer_invalid',
    ],
  ]
  it.each(unfit)('a key that is %s', async (_why, prepare, code) => {
    prepare()
    await expect(open()).rejects.toMatchObject({ code })
  })

  it('an imported key, to which somebody could add a version that they know', async () => {
    world.vault.asRoot('POST', 'transit/keys/tokens', { type: 'ed25519' })
    world.vault.switches.tamper = (path, answer) => {
      if (path !== 'transit/keys/tokens') return answer
      const { data } = answer.body as { data: object }
      return { ...answer, body: { data: { ...data, imported_key: true } } }
    }
    await expect(open()).rejects.toMatchObject({ code: 'transit_key_unfit' })
  })

  it('an ES256 ring', async () => {
    await expect(open({ algorithm: 'ES256' })).rejects.toMatchObject({ code: 'transit_key_unfit' })
  })

  it('an exportable key without a word', async () => {
    world.vault.asRoot('POST', 'transit/keys/tokens', { type: 'ed25519', exportable: true })
    await open()
    expect(world.events.filter(({ type }) => type === 'vault.key_exportable')).toHaveLength(1)
  })

  const forged: [why: string, forge: (signature: string) => string, code: string][] = [
    ['by another version', (signature) => signature.replace(':v1:', ':v2:'), 'vault_answer_invalid'],
    ['without a prefix', (signature) => signature.replace('vault:v1:', ''), 'vault_answer_invalid'],
    ['of 63 bytes', () => `vault:v1:${Buffer.alloc(63, 1).toString('base64url')}`, 'vault_answer_invalid'],
    ['of 65 bytes', () => `vault:v1:${Buffer.alloc(65, 1).toString('base64url')}`, 'vault_answer_invalid'],
    ['in ASN.1', () => `vault:v1:${Buffer.alloc(70, 48).toString('base64')}`, 'vault_answer_invalid'],
    ['of nothing', () => 'vault:v1:', 'vault_answer_invalid'],
    ['not by the published key', () => `vault:v1:${Buffer.alloc(64, 1).toString('base64url')}`, 'signature_wrong'],
  ]
  it.each(forged)('a signature %s', async (_why, forge, code) => {
    const ring = await open()
    world.vault.switches.tamper = (path, answer) => {
      if (path !== 'transit/sign/tokens') return answer
      const { data } = answer.body as { data: { signature: string } }
      return { ...answer, body: { data: { signature: forge(data.signature) } } }
    }
    await expect(ring.sign(claims)).rejects.toMatchObject({ code })
  })

  it('a document that names the key of another version, another key or no signer of ours', async () => {
    const store = memoryKeyRingStore()
    await open({ store })
    const document = await store.read('tokens')
    if (document === undefined) throw new Error('no ring')
    for (const heldIn of [
      { backend: 'transit:transit/tokens', reference: 'v2' },
      { backend: 'transit:transit/tokens', reference: 'v9' },
      { backend: 'transit:transit/tokens', reference: '1' },
      { backend: 'transit:transit/other', reference: 'v1' },
    ]) {
      const [active, ...others] = document.keys
      if (active === undefined) throw new Error('no key')
      const forged = memoryKeyRingStore()
      const keys = [{ ...active, heldIn }, ...others.map((one) => ({ ...one, state: 'revoked' as const }))]
      await forged.replace({ ...document, version: 1, keys })
      await expect(open({ store: forged })).rejects.toMatchObject({ code: 'key_not_ours' })
    }
  })

  it.each(['', 'a/b', '../x', 'a b'])('the key name %j', (keyName) => {
    expect(() => vaultTransit({ client: world.client(), keyName })).toThrow(
      expect.objectContaining({ code: 'vault_misconfigured' }),
    )
  })
})

/** Issues a token every `everyMs` for `seconds`, and counts what becomes of them. */
async function load(ring: KeyRing, seconds: number, everyMs: number) {
  const outcomes: {
    readonly atMs: number
    readonly tookMs: number
    readonly token?: string
    readonly error?: unknown
  }[] = []
  const pending: Promise<void>[] = []
  const { clock } = world
  for (let ms = 0; ms < seconds * 1000; ms += everyMs) {
    const atMs = clock.monotonicMs()
    pending.push(
      ring.sign(claims).then(
        (token) => void outcomes.push({ atMs, tookMs: clock.monotonicMs() - atMs, token }),
        (error: unknown) => void outcomes.push({ atMs, tookMs: clock.monotonicMs() - atMs, error }),
      ),
    )
    await clock.advance(everyMs / 1000, everyMs)
  }
  return {
    outcomes,
    async settle() {
      await clock.advance(3)
      await Promise.all(pending)
    },
  }
}

describe('a Vault outage of 55 s under load', () => {
  it('fails no issuance in KV mode', async () => {
    world.vault.asRoot('POST', 'transit/keys/kek', { type: 'aes256-gcm96' })
    const client = world.client()
    const ring = await createKeyRing({
      store: vaultKv({ client }),
      kek: kekFromVault({ client, keyName: 'kek' }),
      issuer,
      policy: { accessTokenLifeSeconds: 600 },
      clock: world.clock,
      onEvent: (event) => events.push(event),
    })
    rings.push(ring)
    await world.clock.advance(15)
    world.vault.switches.cut = 'reset'
    const during = await load(ring, 55, 100)
    world.vault.switches.cut = false
    const after = await load(ring, 15, 500)
    await during.settle()
    await after.settle()
    expect(during.outcomes).toHaveLength(550)
    expect([...during.outcomes, ...after.outcomes].filter(({ error }) => error !== undefined)).toEqual([])
    expect(Math.max(...during.outcomes.map(({ tookMs }) => tookMs))).toBe(0)
    expect(events.map(({ type }) => type)).toEqual(expect.arrayContaining(['store.failed', 'store.recovered']))
    await verifierOf(ring).verify(during.outcomes.at(-1)?.token ?? '')
  })

  it.each([
    ['resets', { cut: 'reset' as const }, { cut: false as const }],
    ['is sealed', { sealed: true }, { sealed: false }],
    ['hangs', { latencyMs: 120_000 }, { latencyMs: 0 }],
  ])('that %s: transit waits 2 s at most, then fails by type, and is back within 2 s', async (_how, down, up) => {
    const ring = await open()
    await world.clock.advance(15)
    await ring.sign(claims)
    Object.assign(world.vault.switches, down)
    const during = await load(ring, 55, 250)
    Object.assign(world.vault.switches, up)
    const backMs = world.clock.monotonicMs()
    const after = await load(ring, 10, 250)
    await during.settle()
    await after.settle()
    const all = [...during.outcomes, ...after.outcomes]
    const failed = all.filter(({ error }) => error !== undefined)
    expect(all).toHaveLength(260)
    expect(failed.length).toBeGreaterThan(200)
    for (const { error } of failed) expect(error).toMatchObject({ code: 'vault_unavailable', retryAfterSeconds: 1 })
    expect(Math.max(...all.map(({ tookMs }) => tookMs))).toBeLessThanOrEqual(2000)
    // Back: whatever is asked for from 2 s after Vault's return on succeeds, at once.
    const recovered = world.events.findLast(({ type }) => type === 'vault.recovered')
    expect(recovered).toBeDefined()
    const first = Math.min(
      ...all
        .filter(({ token, atMs, tookMs }) => token !== undefined && atMs + tookMs >= backMs)
        .map(({ atMs, tookMs }) => atMs + tookMs),
    )
    expect(first - backMs).toBeLessThanOrEqual(2000)
    const later = after.outcomes.filter(({ atMs }) => atMs >= backMs + 2000)
    expect(later.every(({ token, tookMs }) => token !== undefined && tookMs === 0)).toBe(true)
  })

  it('refuses at once what exceeds the queue', async () => {
    const ring = await open({ transit: { maxQueued: 10 } })
    world.vault.switches.latencyMs = 60_000
    const asked = Array.from({ length: 30 }, () => ring.sign(claims).catch((error: unknown) => error))
    const refused: unknown[] = []
    for (const one of asked) void one.then((error) => refused.push(error))
    await world.clock.advance(0)
    expect(refused).toHaveLength(20)
    for (const error of refused) expect(error).toMatchObject({ code: 'vault_unavailable', retryAfterSeconds: 1 })
    await world.clock.advance(3)
    expect(refused).toHaveLength(30)
  })
})

describe('a key-encryption key from Vault', () => {
  it('is in plain in memory only; rewrap seals everything anew under a fresh one, for good', async () => {
    world.vault.asRoot('POST', 'transit/keys/kek', { type: 'aes256-gcm96' })
    const client = world.client()
    const store = vaultKv({ client })
    const openSealed = async () => {
      const kek = kekFromVault({ client: world.client(), keyName: 'kek' })
      const ring = await createKeyRing({
        store,
        kek,
        issuer,
        policy: { accessTokenLifeSeconds: 600 },
        clock: world.clock,
        scheduler: false,
      })
      rings.push(ring)
      return ring
    }
    const one = await openSealed()
    await one.rotate()
    const other = await openSealed()
    const token = await other.sign(claims)
    await verifierOf(one).verify(token)
    world.vault.rotateTransitKey('kek')
    const { rewrappedKids } = await other.rewrap()
    expect(rewrappedKids).toHaveLength(2)
    expect((await other.rewrap()).rewrappedKids).toEqual([])
    // The old version of the wrapping key may go now: nothing at rest needs it.
    world.vault.asRoot('POST', 'transit/keys/kek/config', { min_decryption_version: 2, min_encryption_version: 2 })
    const third = await openSealed()
    await verifierOf(third).verify(await third.sign(claims))
    await one.refresh()
    expect(kidOf(await one.sign(claims))).toBe(kidOf(token))
    const live = world.vault.liveVersions('countersign/keys/tokens')
    expect(live).toHaveLength(1)
  })
})
