import { kekFromFile } from '@countersign/sealing'
import { createVerifier } from '@countersign/tokens'
import { describe, expect, it } from 'vitest'
import { createKeyRing, type KeyAuditEvent, type KeyRingDocument, type KeyRingStore } from '../src/index.ts'
import { memoryKeyRingStore } from '../src/testing.ts'
import { createFakeClock } from './fake-clock.ts'
import { claims, day, issuer, kekOf, kidOf, openRing } from './ring-fixture.ts'

const states = (document: KeyRingDocument | undefined): string[] => document?.keys.map(({ state }) => state) ?? []

describe('a new ring', () => {
  it('signs at once, with a key whose kid is its thumbprint, and publishes a standby', async () => {
    const { ring, clock, store } = await openRing()
    const token = await ring.sign(claims)
    const verifier = createVerifier({ issuer, audience: 'agent-api', keys: ring.keys, clock })
    expect(await verifier.verify(token)).toMatchObject({ subject: 'user_1', keyId: ring.status().activeKid })
    expect(states(await store.read('tokens'))).toEqual(['active', 'published'])
    expect(ring.jwks.document.keys.map(({ kid }) => kid)).toEqual(ring.status().keys.map(({ kid }) => kid))
    await ring.close()
  })

  it('keeps its private keys sealed in the store', async () => {
    const { ring, store } = await openRing()
    const stored = JSON.stringify(await store.read('tokens'))
    expect(stored).not.toMatch(/"d"/)
    for (const key of (await store.read('tokens'))?.keys ?? []) expect(key.sealedPrivateKey).toMatch(/^ey[\w-]+\./)
    await ring.close()
  })

  it('is the same ring to every instance, and after a restart', async () => {
    const { ring, store } = await openRing()
    const { ring: other } = await openRing({ store })
    expect(other.status().activeKid).toBe(ring.status().activeKid)
    expect(other.jwks.body).toBe(ring.jwks.body)
    expect(other.jwks.etag).toBe(ring.jwks.etag)
    await ring.close()
    await other.close()
  })

  it('is created once, whoever tries at the same time', async () => {
    const store = memoryKeyRingStore()
    const opened = await Promise.all(Array.from({ length: 10 }, () => openRing({ store, scheduler: false })))
    expect(new Set(opened.map(({ ring }) => ring.status().activeKid)).size).toBe(1)
    expect(states(await store.read('tokens'))).toEqual(['active'])
    await Promise.all(opened.map(({ ring }) => ring.close()))
  })

  it('signs ES256 where a ring says so', async () => {
    const { ring, clock } = await openRing({ algorithm: 'ES256' })
    const verifier = createVerifier({ issuer, audience: 'agent-api', keys: ring.keys, algorithms: ['ES256'], clock })
    expect(await verifier.verify(await ring.sign(claims))).toMatchObject({ subject: 'user_1' })
    expect(ring.jwks.document.keys[0]).toMatchObject({ kty: 'EC', crv: 'P-256', alg: 'ES256' })
    await ring.close()
  })

  it('stands beside other rings in one store', async () => {
    const { ring, store } = await openRing()
    const { ring: feed } = await openRing({ store, name: 'feed', purpose: 'feed' })
    expect(feed.status().activeKid).not.toBe(ring.status().activeKid)
    await ring.close()
    await feed.close()
  })
})

describe('a ring is refused', () => {
  it.each(['', 'x'.repeat(129)])('with a name that could not be read back: "%s"', async (name) => {
    const store = memoryKeyRingStore()
    await expect(openRing({ store, name })).rejects.toMatchObject({ code: 'ring_invalid' })
    expect(await store.read(name)).toBeUndefined()
  })

  const mismatches: [why: string, options: Parameters<typeof openRing>[0]][] = [
    ['another issuer', { issuer: 'https://auth.example.net' }],
    ['another algorithm', { algorithm: 'ES256' }],
    ['another purpose', { purpose: 'feed' }],
  ]
  it.each(mismatches)('by %s', async (_why, options) => {
    const { ring, store } = await openRing()
    await ring.close()
    await expect(openRing({ ...options, store })).rejects.toMatchObject({ code: 'ring_mismatch' })
  })

  type Tamper = (document: KeyRingDocument) => unknown
  const first = (document: KeyRingDocument): KeyRingDocument['keys'][number] => {
    if (document.keys[0] === undefined) throw new Error('no key')
    return document.keys[0]
  }
  async function foreignKey(): Promise<KeyRingDocument['keys'][number]> {
    const { ring, store } = await openRing({ kek: kekOf('kek-1', 9), scheduler: false })
    await ring.close()
    const document = await store.read('tokens')
    if (document === undefined) throw new Error('no ring')
    return first(document)
  }
  const tampered: [why: string, tamper: Tamper | 'foreign' | 'foreign-public', code: string][] = [
    ['a public key of somebody who has no key-encryption key', 'foreign', 'key_not_ours'],
    ['a foreign public half under a sealed key of ours', 'foreign-public', 'key_not_ours'],
    [
      'a public key without a sealed one',
      (d) => ({ ...d, keys: d.keys.map(({ sealedPrivateKey: _, ...k }) => k) }),
      'key_not_ours',
    ],
    ['a kid that is not the thumbprint', (d) => rename(d, 'x'.repeat(43)), 'key_not_ours'],
    ['another point in the key', (d) => withJwk(d, { x: 'A'.repeat(43) }), 'key_not_ours'],
    ['another algorithm in the key', (d) => withJwk(d, { alg: 'Ed25519' }), 'key_not_ours'],
    ['a private member in the public key', (d) => withJwk(d, { d: 'x' }), 'ring_invalid'],
    ['no active key', (d) => ({ ...d, keys: [] }), 'ring_invalid'],
    ['two active keys', (d) => ({ ...d, keys: [first(d), first(d)] }), 'ring_invalid'],
    ['an unheard-of state', (d) => ({ ...d, keys: [{ ...first(d), state: 'resting' }] }), 'ring_invalid'],
    ['a member too many', (d) => ({ ...d, more: true }), 'ring_invalid'],
    ['a version of nothing', (d) => ({ ...d, version: 0 }), 'ring_invalid'],
    ['a later format', (d) => ({ ...d, format: 2 }), 'ring_invalid'],
  ]
  const withJwk = (d: KeyRingDocument, more: object): unknown => ({
    ...d,
    keys: [{ ...first(d), publicJwk: { ...first(d).publicJwk, ...more } }],
  })
  const rename = (d: KeyRingDocument, kid: string): unknown => ({ ...d, keys: [{ ...first(d), kid }] })

  it.each(tampered)('with %s', async (_why, tamper, code) => {
    const { ring, store } = await openRing({ scheduler: false })
    await ring.close()
    const document = await store.read('tokens')
    if (document === undefined) throw new Error('no ring')
    let found: unknown
    if (tamper === 'foreign') {
      found = { ...document, keys: [...document.keys, { ...(await foreignKey()), state: 'published' }] }
    } else if (tamper === 'foreign-public') {
      const { kid, publicJwk } = await foreignKey()
      found = { ...document, keys: [{ ...first(document), kid, publicJwk }] }
    } else found = tamper(document)
    const hostile: KeyRingStore = { read: async () => found as KeyRingDocument, replace: async () => false }
    await expect(openRing({ store: hostile })).rejects.toMatchObject({ name: 'KeysError', code })
  })

  it('without its key-encryption key, and stays untouched', async () => {
    const { ring, store } = await openRing()
    await ring.close()
    const before = await store.read('tokens')
    await expect(openRing({ store, kek: kekOf('kek-2', 2) })).rejects.toMatchObject({ code: 'key_not_ours' })
    expect(await store.read('tokens')).toEqual(before)
  })

  it('saying why when its key-encryption key cannot be had', async () => {
    const { ring, store } = await openRing()
    await ring.close()
    const kek = kekFromFile('/nowhere/kek')
    await expect(openRing({ store, kek })).rejects.toMatchObject({
      code: 'key_not_ours',
      message: expect.stringContaining('/nowhere/kek does not exist'),
    })
  })
})

describe('sign', () => {
  it('fills in issuer, times and an id', async () => {
    const { ring, clock } = await openRing()
    clock.step(0.7)
    const payload = JSON.parse(Buffer.from((await ring.sign(claims)).split('.')[1] ?? '', 'base64url').toString())
    const now = Math.floor(clock.now())
    expect(payload).toEqual({
      ...claims,
      iss: issuer,
      iat: now,
      exp: now + 600,
      jti: expect.stringMatching(/^[\w-]{36}$/),
    })
    const shorter = await ring.sign({ ...claims, exp: now + 60, jti: 'mine' })
    expect(JSON.parse(Buffer.from(shorter.split('.')[1] ?? '', 'base64url').toString())).toMatchObject({
      exp: now + 60,
      jti: 'mine',
    })
    await ring.close()
  })

  it('refuses tokens that would outlive their key', async () => {
    const { ring, clock } = await openRing()
    const now = Math.floor(clock.now())
    for (const times of [{ exp: now + 601 }, { iat: now - 10, exp: now + 600 }, { iat: now + 100 }]) {
      await expect(ring.sign({ ...claims, ...times })).rejects.toMatchObject({ code: 'life_too_long' })
    }
    await ring.close()
  })

  it('refuses another issuer and bad claims', async () => {
    const { ring } = await openRing()
    await expect(ring.sign({ ...claims, iss: 'https://else.example' })).rejects.toMatchObject({ code: 'wrong_issuer' })
    await expect(ring.sign({ ...claims, sub: '' })).rejects.toMatchObject({ code: 'claims_refused' })
    await ring.close()
  })
})

describe('the published JWKS', () => {
  it('has public members only, in a stable order and form, with the headers that caches need', async () => {
    const { ring } = await openRing()
    for (const key of ring.jwks.document.keys) {
      expect(Object.keys(key)).toEqual(['kty', 'crv', 'x', 'kid', 'use', 'alg'])
      expect(key).toMatchObject({ kty: 'OKP', crv: 'Ed25519', use: 'sig', alg: 'EdDSA' })
    }
    expect(ring.jwks.body).toBe(JSON.stringify(ring.jwks.document))
    expect(ring.jwks.etag).toMatch(/^"[\w-]{43}"$/)
    expect(ring.jwks.headers).toEqual({
      'Content-Type': 'application/jwk-set+json',
      'Cache-Control': 'public, max-age=300, stale-while-revalidate=60, stale-if-error=600',
      ETag: ring.jwks.etag,
      'Access-Control-Allow-Origin': '*',
    })
    await ring.close()
  })

  it('changes its ETag when a key comes or goes, not when one begins to sign', async () => {
    const { ring, clock } = await openRing()
    const { jwks } = ring
    const before = jwks.etag
    await clock.jump(27 * day - 1)
    expect(jwks.etag).toBe(before)
    await ring.rotate()
    expect(jwks.etag).toBe(before)
    await clock.advance(10)
    expect(jwks.etag).not.toBe(before)
    expect(jwks.document.keys).toHaveLength(3)
    await clock.advance(2400)
    expect(jwks.document.keys).toHaveLength(2)
    await ring.close()
  })
})

describe('a rotation', () => {
  it('waits until every cache has passed, then says that it is done', async () => {
    const { ring, clock } = await openRing()
    const [first, standby] = ring.status().keys.map(({ kid }) => kid)
    const publishedAt = clock.now()
    await clock.advance(3740)
    const early = await ring.rotate()
    expect(early).toEqual({
      done: false,
      standbyKid: standby,
      activatesAt: publishedAt + 3750,
      waitingFor: ['propagation'],
    })
    await expect(ring.activate(standby ?? '')).rejects.toMatchObject({
      code: 'too_early',
      lawfulAt: publishedAt + 3750,
    })
    expect(kidOf(await ring.sign(claims))).toBe(first)
    await clock.advance(10)
    expect(await ring.rotate()).toEqual({ done: true, activeKid: standby, previousKid: first })
    expect(kidOf(await ring.sign(claims))).toBe(standby)
    await ring.close()
  })

  it('happens by itself on day 27, with the old key visible for the overlap and then destroyed', async () => {
    const { ring, clock, store, events } = await openRing()
    await clock.jump(27 * day - 1)
    expect(states(await store.read('tokens'))).toEqual(['active', 'published'])
    await clock.advance(11)
    expect(states(await store.read('tokens'))).toEqual(['retiring', 'active', 'published'])
    await clock.advance(2390)
    expect(states(await store.read('tokens'))).toEqual(['retiring', 'active', 'published'])
    await clock.advance(20)
    const retired = (await store.read('tokens'))?.keys[0]
    expect(retired?.state).toBe('retired')
    expect(retired).not.toHaveProperty('sealedPrivateKey')
    const told = events.flatMap((event) =>
      event.type === 'key.changed' && event.kid === retired?.kid ? [event.to] : [],
    )
    expect(told).toEqual(['active', 'retiring', 'retired'])
    await ring.close()
  })

  it('publishes the next key only when it is needed if the policy wants no standby', async () => {
    const policy = { accessTokenLifeSeconds: 600, standby: 'off' } as const
    const { ring, clock, store } = await openRing({ policy })
    expect(states(await store.read('tokens'))).toEqual(['active'])
    await clock.jump(27 * day - 3750)
    expect(states(await store.read('tokens'))).toEqual(['active', 'published'])
    await clock.advance(3760)
    expect(states(await store.read('tokens'))).toEqual(['retiring', 'active'])
    await ring.close()
  })

  it('does nothing by itself without a scheduler, but follows others', async () => {
    const { ring, clock, store } = await openRing({ scheduler: false })
    await clock.jump(29 * day)
    expect(states(await store.read('tokens'))).toEqual(['active'])
    const { ring: other } = await openRing({ store, clock })
    await clock.advance(3760)
    expect(states(await store.read('tokens'))).toEqual(['retiring', 'active', 'published'])
    expect(ring.status().activeKid).toBe(other.status().activeKid)
    await ring.close()
    await other.close()
  })

  it('makes one new key when twenty ask at once', async () => {
    const store = memoryKeyRingStore()
    const clock = createFakeClock()
    const opened = await Promise.all(
      Array.from({ length: 20 }, () => openRing({ store, clock: createFakeClock(clock.now()), scheduler: false })),
    )
    const outcomes = await Promise.all(opened.map(({ ring }) => ring.rotate()))
    expect(states(await store.read('tokens'))).toEqual(['active', 'published'])
    expect(new Set(outcomes.map((outcome) => (outcome.done ? '' : outcome.standbyKid))).size).toBe(1)

    for (const one of opened) await one.clock.jump(3750)
    const second = await Promise.all(opened.map(({ ring }) => ring.rotate()))
    const after = await store.read('tokens')
    // Whoever asks after the activation makes sure of the next standby: one at most.
    expect(states(after).slice(0, 2)).toEqual(['retiring', 'active'])
    expect(after?.keys.length).toBeLessThanOrEqual(3)
    for (const outcome of second) if (outcome.done) expect(outcome.activeKid).toBe(after?.keys[1]?.kid)
    expect(second.some(({ done }) => done)).toBe(true)
    await Promise.all(opened.map(({ ring }) => ring.close()))
  })

  it('activates a named key once, and refuses what is not to be activated', async () => {
    const { ring, clock } = await openRing()
    const [first, standby] = ring.status().keys.map(({ kid }) => kid)
    await clock.jump(3750)
    await ring.activate(standby ?? '')
    await ring.activate(standby ?? '')
    expect(ring.status().activeKid).toBe(standby)
    await expect(ring.activate(first ?? '')).rejects.toMatchObject({ code: 'too_late' })
    await expect(ring.activate('unheard-of')).rejects.toMatchObject({ code: 'key_unknown' })
    await ring.close()
  })

  it('can be forced, with a reason that is recorded', async () => {
    const recorded: KeyAuditEvent[] = []
    const audit = { record: async (event: KeyAuditEvent) => void recorded.push(event) }
    const { ring } = await openRing({ audit })
    const standby = ring.status().keys[1]?.kid ?? ''
    await ring.activate(standby, { force: 'the old key is on a lost laptop', actor: { type: 'operator', id: 'ada' } })
    expect(ring.status().activeKid).toBe(standby)
    expect(recorded.at(-1)).toMatchObject({ action: 'key.activate', reason: 'the old key is on a lost laptop' })
    await ring.close()
  })
})

describe('consumers that confirm', () => {
  it('are waited for by name, until the last day of the old key', async () => {
    let missing: string[] = ['billing-worker']
    const confirmations = { missing: async () => missing }
    const { ring, clock, events } = await openRing({ confirmations })
    expect(await ring.rotate()).toMatchObject({ done: false, waitingFor: ['propagation', 'billing-worker'] })
    await clock.jump(28 * day)
    expect(await ring.rotate()).toMatchObject({ done: false, waitingFor: ['billing-worker'] })
    expect(ring.status().keys[1]?.next).toMatchObject({ transition: 'active', waitingFor: ['billing-worker'] })
    missing = []
    expect(await ring.rotate()).toMatchObject({ done: true })
    missing = ['billing-worker']
    await clock.advance(10)
    await clock.jump(29 * day - 100)
    expect(
      ring
        .status()
        .keys.map(({ state }) => state)
        .slice(1, 3),
    ).toEqual(['active', 'published'])
    await clock.jump(100)
    expect(
      ring
        .status()
        .keys.map(({ state }) => state)
        .slice(1, 3),
    ).toEqual(['retiring', 'active'])
    expect(events).toContainEqual(expect.objectContaining({ type: 'key.unconfirmed', missing: ['billing-worker'] }))
    await ring.close()
  })

  it('do not hold up the retirement of an old key', async () => {
    let missing: string[] = []
    const { ring, clock } = await openRing({ confirmations: { missing: async () => missing } })
    await clock.jump(3750)
    await ring.rotate()
    missing = ['billing-worker']
    await clock.jump(28 * day)
    expect(ring.status().keys.map(({ state }) => state)).toEqual(['retired', 'active', 'published'])
    await ring.close()
  })
})

describe('the status', () => {
  it('says what happens next to each key, when, and what it waits for', async () => {
    const { ring, clock } = await openRing()
    const start = clock.now()
    const [active, standby] = ring.status().keys
    expect(ring.status()).toMatchObject({ name: 'tokens', algorithm: 'EdDSA', age: 'ok', leaseLeftSeconds: 90 })
    expect(active?.next).toEqual({ transition: 'retiring', at: start + 27 * day, waitingFor: [] })
    expect(standby?.next).toEqual({ transition: 'active', at: start + 27 * day, waitingFor: ['propagation'] })
    expect(standby?.activatableAt).toBe(start + 3750)
    await clock.jump(3750)
    await ring.rotate()
    expect(ring.status().keys[0]?.next).toEqual({ transition: 'retired', at: start + 3750 + 2400, waitingFor: [] })
    expect(ring.status().keys[1]?.next).toEqual({ transition: 'retiring', at: null, waitingFor: ['standby'] })
    await ring.close()
  })

  it('tells of a key that grows old: a warning, a page, and then every day is one too many', async () => {
    const { ring, clock, events } = await openRing({ scheduler: false })
    const levels = (): unknown[] => events.flatMap((event) => (event.type === 'key.age' ? [event.level] : []))
    await clock.jump(28 * day + 10)
    await clock.jump(100)
    expect(levels()).toEqual(['warn'])
    await clock.jump(day)
    expect(levels()).toEqual(['warn', 'page'])
    await clock.jump(day)
    expect(levels()).toEqual(['warn', 'page', 'over'])
    expect(ring.status().age).toBe('over')
    expect(await ring.sign(claims)).toBeTypeOf('string')
    await ring.close()
  })

  it('refuses to sign with a key past its age where the policy is strict', async () => {
    const policy = { accessTokenLifeSeconds: 600, pastMaxAge: 'refuse' } as const
    const { ring, clock } = await openRing({ policy, scheduler: false })
    await clock.jump(30 * day)
    expect(await ring.sign(claims)).toBeTypeOf('string')
    await clock.jump(10)
    await expect(ring.sign(claims)).rejects.toMatchObject({ code: 'key_too_old' })
    await ring.close()
  })
})

it('stops everything when it is closed, twice too', async () => {
  const { ring, clock, store } = await openRing()
  const { signer, jwks } = ring
  await Promise.all([ring.close(), ring.close()])
  const version = (await store.read('tokens'))?.version
  await clock.jump(28 * day)
  expect((await store.read('tokens'))?.version).toBe(version)
  for (const use of [() => ring.rotate(), () => ring.sign(claims), () => ring.refresh(), async () => ring.signer]) {
    await expect(use()).rejects.toMatchObject({ code: 'closed' })
  }
  expect(() => jwks.body).toThrow(expect.objectContaining({ code: 'closed' }))
  expect(() => signer.signSync?.(new Uint8Array(1))).toThrow(expect.objectContaining({ code: 'lease_expired' }))
})

it('is not stopped by a listener that throws', async () => {
  const ring = await createKeyRing({
    store: memoryKeyRingStore(),
    kek: kekOf(),
    issuer,
    policy: { accessTokenLifeSeconds: 600 },
    clock: createFakeClock(),
    onEvent: () => {
      throw new Error('listener')
    },
  })
  expect(await ring.rotate()).toMatchObject({ done: false })
  await ring.close()
})
