import { systemClock } from '@countersign/tokens'
import { describeRoutes, type Served, serve, testIssuer } from '@countersign-apps/kit/testing'
import { consumers } from '@countersign-apps/token-service/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createRoutes } from '../src/create-routes.ts'
import { createMonitor } from '../src/monitor.ts'
import type { ProbeResult } from '../src/result.ts'
import { consumer } from '../src/scopes.ts'

const issuer = await testIssuer(consumer)
const held = Promise.withResolvers<void>()
const result: Omit<ProbeResult, 'id' | 'trigger'> = {
  startedAt: 1_800_000_000.5,
  durationMs: 12.345,
  ok: false,
  phases: [{ phase: 'sign_in', ok: false, ms: 12.34 }],
  failure: { phase: 'sign_in', reason: 'unreachable', message: 'the token service could not be reached' },
  revocationMs: { feed: 12.34 },
  cleanedUp: true,
}
let isHeld = false
const monitor = createMonitor({
  clock: systemClock,
  probe: async ({ id, trigger }) => {
    if (isHeld) await held.promise
    return { ...result, id, trigger }
  },
})
const { app, routes } = createRoutes({ guard: issuer.guard, monitor })
let served: Served
beforeAll(async () => {
  served = await serve(app)
})
afterAll(async () => {
  held.resolve()
  await monitor.close()
  await served.close()
})

const token = issuer.token()
const probe = async (): Promise<string> => (await served.call('POST', '/probes', { token })).body.id

describe('every route', () => {
  const samples = {
    'GET /whoami': async () => ({}),
    'GET /probes': async () => ({}),
    'GET /probes/:id': async () => ({ path: `/probes/${await probe()}` }),
    'POST /probes': async () => ({}),
  }
  // Scopes that a token has to be exchanged for elsewhere: no route of this service asks for them.
  const handedOn = consumers.edges.filter(({ from }) => from === consumer.audience).flatMap(({ scopes }) => scopes)
  describeRoutes({ consumer, routes, served: () => served, token: issuer.token, samples, handedOn }, { describe, it })
})

describe('probes', () => {
  it('are begun on demand, and then tell what came of them', async () => {
    const begun = await served.call('POST', '/probes', { token })
    expect(begun.status).toBe(202)
    expect(begun.headers.get('location')).toBe(`/probes/${begun.body.id}`)
    await new Promise((resolve) => setImmediate(resolve))
    const { body } = await served.call('GET', `/probes/${begun.body.id}`, { token })
    expect(body).toEqual({
      state: 'done',
      id: begun.body.id,
      trigger: 'request',
      ok: false,
      started_at: 1_800_000_000,
      duration_ms: 12.3,
      phases: [{ phase: 'sign_in', ok: false, ms: 12.3 }],
      failure: { ...result.failure, remedy: expect.stringContaining('Look whether the service runs') },
      revocation_ms: { feed: 12.3 },
      cleaned_up: true,
    })
    const list = await served.call('GET', '/probes', { token })
    expect(list.body.probes[0]).toMatchObject({ id: begun.body.id })
    expect(list.headers.get('cache-control')).toBe('no-store')
  })

  it('that run say so, and are joined', async () => {
    isHeld = true
    const id = await probe()
    expect(await probe()).toBe(id)
    expect((await served.call('GET', `/probes/${id}`, { token })).body).toEqual({ state: 'running', id })
    expect((await served.call('GET', '/probes', { token })).body.running).toBe(id)
  })

  it.each(['unknown', '__proto__', 'a%2fb'])('that are not there are not found: %s', async (id) => {
    expect((await served.call('GET', `/probes/${id}`, { token })).status).toBe(404)
  })
})
