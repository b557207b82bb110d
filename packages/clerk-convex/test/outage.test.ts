import { verifyToken } from '@clerk/backend'
import { testClock } from '@countersign-tooling/clock'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { ClerkVerifierEvent } from '../src/server/index.ts'
import { clerkWorld, origin, verdict } from './clerk-world.ts'

afterEach(() => vi.useRealTimers())

describe("Clerk's own verifier in an outage", () => {
  it('lives on a cache of 5 min, then refuses after retries; with a PEM it keeps working', async () => {
    const { clerk, sessionId } = await clerkWorld()
    const options = { apiUrl: clerk.apiUrl, secretKey: clerk.secretKey, authorizedParties: [origin] }
    const long = { lifeSeconds: 3_600 }
    const token = clerk.token(sessionId, long)
    await verifyToken(token, options)
    clerk.setOutage('drop')
    vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'] })
    vi.setSystemTime(Date.now() + 4 * 60_000)
    await expect(verifyToken(token, options)).resolves.toMatchObject({ sid: sessionId })

    vi.setSystemTime(Date.now() + 2 * 60_000)
    const before = clerk.requests.length
    const startedAt = Date.now()
    let ended = false
    const asked = verifyToken(token, options).finally(() => {
      ended = true
    })
    const refused = expect(asked).rejects.toThrow()
    while (!ended) {
      vi.advanceTimersByTime(50)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await refused
    expect(clerk.requests.length - before).toBeGreaterThan(3)
    expect(Date.now() - startedAt).toBeGreaterThan(1_000)
    await expect(verifyToken(token, { ...options, jwtKey: clerk.signingKey.pem })).resolves.toBeDefined()
  })

  it('breaks at a rotation with a PEM, which knows one key only', async () => {
    const { clerk, sessionId } = await clerkWorld()
    const jwtKey = clerk.signingKey.pem
    const before = clerk.token(sessionId)
    clerk.rotateKey()
    const after = clerk.token(sessionId)
    await expect(verifyToken(before, { jwtKey })).resolves.toBeDefined()
    await expect(verifyToken(after, { jwtKey })).rejects.toThrow()
  })
})

describe('ours', () => {
  it('with pinned keys works through 10 minutes without Clerk, and through a rotation, without a request', async () => {
    const clock = testClock()
    const world = await clerkWorld({ clock })
    const { clerk, sessionId } = world
    const first = clerk.signingKey.kid
    clerk.rotateKey()
    const pinned = world.verifier({ keys: clerk.jwks })
    clerk.setOutage('drop')
    for (let minute = 0; minute < 10; minute++) {
      const token = clerk.token(sessionId)
      expect(await verdict(pinned, token)).toBe('accepted')
      expect(pinned.recall(token)?.session).toBe(sessionId)
      await clock.pass(60)
      expect(await verdict(pinned, token)).toBe('accepted')
      await clock.pass(5)
      expect(await verdict(pinned, token)).toBe('expired')
    }
    expect(pinned.degraded).toBe(false)
    expect(clerk.requests).toEqual([])
    clerk.withdrawKey(clerk.signingKey.kid)
    expect(clerk.signingKey.kid).toBe(first)
    expect(await verdict(pinned, clerk.token(sessionId))).toBe('accepted')
  })

  it.each(['drop', 'unavailable'] as const)(
    'with discovered keys works through 10 minutes of %s, and says so',
    async (outage) => {
      const clock = testClock()
      const world = await clerkWorld({ clock })
      const { clerk, sessionId } = world
      const events: ClerkVerifierEvent[] = []
      const verifier = world.verifier({ onEvent: (event) => events.push(event) })
      expect(await verdict(verifier, clerk.token(sessionId))).toBe('accepted')
      expect(verifier.degraded).toBe(false)
      clerk.setOutage(outage)
      await clock.pass(300)
      for (let minute = 5; minute < 10; minute++) {
        expect(await verdict(verifier, clerk.token(sessionId))).toBe('accepted')
        await expect.poll(() => verifier.degraded).toBe(true)
        await clock.pass(60)
      }
      const asked = clerk.requests.length
      expect(asked).toBeLessThan(25)
      clerk.setOutage(undefined)
      await clock.pass(35)
      await expect.poll(() => verifier.degraded).toBe(false)
      expect(events.at(-1)?.type).toBe('jwks_refreshed')
    },
  )

  it('asks twice at most for 500 key ids at once that Clerk does not have, and takes good tokens meanwhile', async () => {
    const world = await clerkWorld()
    const { clerk, sessionId } = world
    const verifier = world.verifier()
    const flood = Array.from({ length: 500 }, (_, at) => clerk.token(sessionId, { header: { kid: `ins_${at}` } }))
    const verdicts = Promise.all(flood.map((token) => verdict(verifier, token)))
    expect(await verdict(verifier, clerk.token(sessionId))).toBe('accepted')
    expect(new Set(await verdicts)).toEqual(new Set(['unknown_key']))
    expect(clerk.requests.length).toBeLessThanOrEqual(2)
  })

  it('that never could read keys is unavailable, which is no refusal of the token', async () => {
    const world = await clerkWorld()
    const verifier = world.verifier()
    world.clerk.setOutage('unavailable')
    expect(await verdict(verifier, world.clerk.token(world.sessionId))).toBe('keys_unavailable')
  })

  it('waits no longer than 3 s for a slow Clerk', async () => {
    const clock = testClock()
    const world = await clerkWorld({ clock })
    const verifier = world.verifier()
    world.clerk.setOutage({ slowMs: 60_000 })
    const asked = verdict(verifier, world.clerk.token(world.sessionId))
    await clock.pass(3)
    expect(await asked).toBe('keys_unavailable')
  })

  it('finds the key of a rotation by itself, and forgets a withdrawn one', async () => {
    const clock = testClock()
    const world = await clerkWorld({ clock })
    const { clerk, sessionId } = world
    const verifier = world.verifier()
    const old = clerk.token(sessionId, { lifeSeconds: 3_000 })
    expect(await verdict(verifier, old)).toBe('accepted')
    const { kid } = clerk.signingKey
    clerk.rotateKey()
    expect(await verdict(verifier, clerk.token(sessionId))).toBe('accepted')
    clerk.withdrawKey(kid)
    await clock.pass(310)
    await expect.poll(() => verifier.recall(old)).toBeUndefined()
    expect(await verdict(verifier, old)).toBe('unknown_key')
  })
})
