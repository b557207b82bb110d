import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { KeyRing } from '@countersign/keys'
import type { Clock } from '@countersign/tokens'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createDataDir, type RunningTokenService, resolveConfig, startTokenService } from '../src/index.ts'

/** Time by command; what was to be called back is called by the test. */
let seconds: number
const clock: Clock = { now: () => seconds, monotonicMs: () => seconds * 1000, after: () => () => {} }
let dir: string
let service: RunningTokenService
let ring: KeyRing

beforeEach(async () => {
  seconds = 1_800_000_000
  dir = await mkdtemp(join(tmpdir(), 'countersign-jwks-'))
  const consumers = { 'agent-api': { scopes: ['agents:read'], obtainedBy: 'client-credentials' } }
  const config = await resolveConfig(
    { issuer: 'http://127.0.0.1:4600', port: 0, consumers, metrics: false, log: { level: 'silent' } },
    { baseDir: dir },
  )
  await createDataDir(config)
  service = await startTokenService(config, { clock })
  const [first] = service.rings
  if (first === undefined) throw new Error('no ring')
  ring = first
})
afterEach(async () => {
  await service.close()
  await rm(dir, { recursive: true })
})

const get = (init: RequestInit = {}): Promise<Response> => fetch(`${service.url}/.well-known/jwks.json`, init)
const kids = async (): Promise<string[]> => {
  const { keys } = (await (await get()).json()) as { keys: { kid: string }[] }
  return keys.map(({ kid }) => kid)
}

async function pass(more: number): Promise<void> {
  seconds += more
  await ring.resume()
}

describe('the JWKS through a rotation', () => {
  it('shows the standby before it signs and the old key after, in an order that stays', async () => {
    const active = ring.status().activeKid
    await ring.resume()
    const standby = ring.status().keys[1]?.kid
    expect(await kids()).toEqual([active, standby])
    const before = await get()
    expect(before.headers.get('cache-control')).toBe(
      'public, max-age=300, stale-while-revalidate=60, stale-if-error=600',
    )

    // That another key signs now is nobody's business: the set is the same, and so are its bytes and its ETag.
    await pass(3751)
    await ring.rotate()
    expect(ring.status().activeKid).toBe(standby)
    const after = await get({ headers: { 'if-none-match': before.headers.get('etag') ?? '' } })
    expect([after.status, await after.text()]).toEqual([304, ''])

    await pass(60)
    const next = ring.status().keys[2]?.kid
    expect(await kids()).toEqual([active, standby, next])
    await pass(2401)
    expect(await kids()).toEqual([standby, next])
    const changed = await get({ headers: { 'if-none-match': before.headers.get('etag') ?? '' } })
    expect(changed.status).toBe(200)
    expect(changed.headers.get('etag')).not.toBe(before.headers.get('etag'))
  })

  it('shows public members and no other', async () => {
    await ring.resume()
    const { keys } = (await (await get()).json()) as { keys: object[] }
    expect(keys).toHaveLength(2)
    for (const key of keys) expect(Object.keys(key).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x'])
  })

  it('answers any origin, and HEAD alike', async () => {
    const whole = await get({ headers: { origin: 'https://app.example.com' } })
    expect(whole.headers.get('access-control-allow-origin')).toBe('*')
    expect(whole.headers.get('content-type')).toBe('application/jwk-set+json')
    const head = await get({ method: 'HEAD' })
    expect([head.status, await head.text()]).toEqual([200, ''])
    for (const name of ['etag', 'cache-control', 'content-length', 'content-type']) {
      expect(head.headers.get(name)).toBe(whole.headers.get(name))
    }
  })
})

describe('the JWKS after a compromise', () => {
  it('asks caches to come back after 30 s, for an hour', async () => {
    await ring.resume()
    const stolen = ring.status().activeKid ?? ''
    await ring.revoke(stolen, { reason: 'stolen' })
    expect(await kids()).toEqual([ring.status().activeKid])
    const caching = async (): Promise<string | null> => (await get()).headers.get('cache-control')
    expect(await caching()).toBe('public, max-age=30')
    await pass(3599)
    expect(await caching()).toBe('public, max-age=30')
    expect(await kids()).not.toContain(stolen)
    await pass(2)
    expect(await caching()).toBe('public, max-age=300, stale-while-revalidate=60, stale-if-error=600')
  })
})

describe('the JWKS of a service that has lost its store', () => {
  it('is 503, so that caches keep what they have', async () => {
    expect((await get()).status).toBe(200)
    seconds += 91
    // Nobody has looked at the store for longer than the lease: the next one to ask makes it look.
    const answer = await get()
    expect(answer.status).toBe(503)
    expect(answer.headers.get('cache-control')).not.toContain('max-age=300')
    await ring.refresh()
    expect((await get()).status).toBe(200)
  })
})
