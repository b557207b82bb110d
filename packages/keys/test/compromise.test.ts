import { createVerifier } from '@countersign/tokens'
import { describe, expect, it } from 'vitest'
import type { KeyAuditEvent } from '../src/index.ts'
import { memoryKeyRingStore } from '../src/testing.ts'
import { claims, day, issuer, kekOf, kidOf, openRing } from './ring-fixture.ts'

describe('revoke', () => {
  it('takes every key that the store held, by default, and signs with a fresh one at once', async () => {
    const { ring, clock, store, events } = await openRing()
    await clock.jump(3750)
    await ring.rotate()
    await clock.advance(10)
    const before = ring.status().keys
    expect(before.map(({ state }) => state)).toEqual(['retiring', 'active', 'published'])
    const token = await ring.sign(claims)

    const outcome = await ring.revoke(kidOf(token), { reason: 'the backup was on a public share' })
    expect(outcome.revokedKids).toEqual(before.map(({ kid }) => kid))
    expect(before.map(({ kid }) => kid)).not.toContain(outcome.activeKid)
    expect(ring.jwks.document.keys.map(({ kid }) => kid)).toEqual([outcome.activeKid])
    expect(kidOf(await ring.sign(claims))).toBe(outcome.activeKid)
    const stored = await store.read('tokens')
    expect(stored?.keys.filter(({ sealedPrivateKey }) => sealedPrivateKey).map(({ kid }) => kid)).toEqual([
      outcome.activeKid,
    ])
    expect(stored?.keys[0]?.revokedReason).toBe('the backup was on a public share')

    const verifier = createVerifier({ issuer, audience: 'agent-api', keys: ring.keys, clock })
    await expect(verifier.verify(token)).rejects.toMatchObject({ code: 'unknown_key' })
    const told = events.filter((event) => event.type === 'key.revoked')
    expect(told).toHaveLength(3)
    expect(told[0]).toMatchObject({ reason: 'the backup was on a public share', active: { kid: outcome.activeKid } })
    await ring.close()
  })

  it('of one key promotes the standby, which verifiers may hold already', async () => {
    const { ring, clock } = await openRing()
    const [active, standby] = ring.status().keys.map(({ kid }) => kid)
    await ring.revoke(active ?? '', { reason: 'logged by mistake', scope: 'key' })
    expect(ring.status().activeKid).toBe(standby)
    await clock.advance(10)
    expect(ring.status().keys.map(({ state }) => state)).toEqual(['revoked', 'active', 'published'])
    await ring.close()
  })

  it('of one key mints a fresh one when there is no standby', async () => {
    const { ring } = await openRing({ scheduler: false })
    const { activeKid } = await ring.revoke(ring.status().activeKid ?? '', { reason: 'x', scope: 'key' })
    expect(ring.status().keys.map(({ state }) => state)).toEqual(['revoked', 'active'])
    expect(ring.status().activeKid).toBe(activeKid)
    await ring.close()
  })

  it('of a standby leaves the active key in peace', async () => {
    const { ring, clock } = await openRing()
    const [active, standby] = ring.status().keys.map(({ kid }) => kid)
    await ring.revoke(standby ?? '', { reason: 'x', scope: 'key' })
    await clock.advance(10)
    expect(ring.status().activeKid).toBe(active)
    expect(ring.status().keys.map(({ state }) => state)).toEqual(['active', 'revoked', 'published'])
    await ring.close()
  })

  it('may be repeated, and refuses a key that is not there', async () => {
    const { ring } = await openRing()
    const kid = ring.status().activeKid ?? ''
    const first = await ring.revoke(kid, { reason: 'x' })
    expect(await ring.revoke(kid, { reason: 'x' })).toEqual(first)
    await expect(ring.revoke('unheard-of', { reason: 'x' })).rejects.toMatchObject({ code: 'key_unknown' })
    await expect(ring.activate(kid)).rejects.toMatchObject({ code: 'wrong_state' })
    await ring.close()
  })

  it('cuts a reason that would not fit into the ring', async () => {
    const { ring, store } = await openRing()
    await ring.revoke(ring.status().activeKid ?? '', { reason: 'x'.repeat(5000) })
    expect((await store.read('tokens'))?.keys[0]?.revokedReason).toHaveLength(1024)
    await ring.refresh()
    await ring.close()
  })

  it('asks caches to come back sooner, for an hour', async () => {
    const { ring, clock } = await openRing()
    await ring.revoke(ring.status().activeKid ?? '', { reason: 'x' })
    expect(ring.jwks.headers['Cache-Control']).toBe('public, max-age=30')
    await clock.jump(3590)
    expect(ring.jwks.headers['Cache-Control']).toBe('public, max-age=30')
    await clock.advance(20)
    expect(ring.jwks.headers['Cache-Control']).toContain('max-age=300')
    await ring.close()
  })
})

describe('the audit log', () => {
  it('has each change before it happens, with who asked for it', async () => {
    const seen: string[] = []
    const store = memoryKeyRingStore()
    const audit = {
      async record(event: KeyAuditEvent) {
        const version = (await store.read('tokens'))?.version ?? 0
        expect(version).toBe(Number(event.details?.version) - (event.outcome === 'allowed' ? 1 : 0))
        seen.push(`${event.action} ${event.outcome} ${event.actor.type}`)
      },
    }
    const { ring, clock } = await openRing({ audit, store })
    await clock.jump(3750)
    await ring.rotate({ actor: { type: 'operator', id: 'ada' } })
    expect(seen).toEqual([
      'key.create allowed system',
      'key.create allowed scheduler',
      'key.publish allowed scheduler',
      'key.retire allowed operator',
      'key.activate allowed operator',
    ])
    await ring.close()
  })

  it('that cannot be written stops every change, and nothing else', async () => {
    let full = false
    const audit = {
      async record() {
        if (full) throw new Error('the disk is full')
      },
    }
    const { ring, clock, store, events } = await openRing({ audit, scheduler: true })
    full = true
    await clock.jump(27 * day)
    const version = (await store.read('tokens'))?.version
    await expect(ring.rotate()).rejects.toMatchObject({ code: 'audit_failed' })
    await expect(ring.revoke(ring.status().activeKid ?? '', { reason: 'x' })).rejects.toMatchObject({
      code: 'audit_failed',
    })
    expect((await store.read('tokens'))?.version).toBe(version)
    expect(await ring.sign(claims)).toBeTypeOf('string')
    await clock.advance(100)
    const failures = events.filter(({ type }) => type === 'schedule.failed')
    expect(failures).toMatchObject([{ step: 'activate', code: 'audit_failed' }])
    full = false
    await clock.advance(10)
    expect(ring.status().keys[0]?.state).toBe('retiring')
    await ring.close()
    await expect(openRing({ audit: { record: async () => Promise.reject(new Error('full')) } })).rejects.toMatchObject({
      code: 'audit_failed',
    })
  })

  it('has refusals too', async () => {
    const seen: KeyAuditEvent[] = []
    const { ring } = await openRing({ audit: { record: async (event) => void seen.push(event) } })
    await expect(ring.activate(ring.status().keys[1]?.kid ?? '')).rejects.toMatchObject({ code: 'too_early' })
    expect(seen.at(-1)).toMatchObject({ action: 'key.activate', outcome: 'denied', reason: 'propagation' })
    await ring.close()
  })
})

describe('rewrap', () => {
  it('seals every key anew, changes no key, and has nothing to do the second time', async () => {
    const { ring, store } = await openRing()
    const body = ring.jwks.body
    await ring.close()
    const [old, fresh] = [kekOf('kek-1', 1), kekOf('kek-2', 2)]
    const both = { current: fresh.current, find: async (id: string) => (await fresh.find(id)) ?? (await old.find(id)) }
    const { ring: moved } = await openRing({ store, kek: both })
    const outcome = await moved.rewrap({ actor: { type: 'operator' } })
    expect(outcome).toEqual({ kekId: 'kek-2', rewrappedKids: moved.status().keys.map(({ kid }) => kid) })
    expect(moved.jwks.body).toBe(body)
    expect(await moved.rewrap()).toEqual({ kekId: 'kek-2', rewrappedKids: [] })
    await moved.close()
    const { ring: without } = await openRing({ store, kek: fresh })
    expect(await without.sign(claims)).toBeTypeOf('string')
    await without.close()
  })
})
