import { beforeEach, describe, expect, it, vi } from 'vitest'
import { type ConvexRunnerWorld, convexRunnerWorld } from './convex-runner-world.ts'
import { internal } from './convex-runners/_generated/api.ts'

let world: ConvexRunnerWorld
beforeEach(async () => {
  world = await convexRunnerWorld()
})

const day = 86_400

describe('sweep', () => {
  const count = (
    table: 'authUsedProofs' | 'authAudit' | 'authWebhooks' | 'authRunnerPairings' | 'authRunnerWrongCodes',
  ) => world.t.run(async (ctx) => (await ctx.db.query(table).collect()).length)

  it('deletes what has had its time, and nothing else', async () => {
    const now = world.clock.now()
    await world.t.run(async (ctx) => {
      const audit = { kind: 'action', action: 'x', outcome: 'allowed' } as const
      for (const seconds of [0, 599, 601])
        await ctx.db.insert('authUsedProofs', { proof: `p${seconds}`, until: now - seconds })
      for (const days of [0, 399, 401]) await ctx.db.insert('authAudit', { ...audit, at: (now - days * day) * 1_000 })
      for (const days of [0, 2, 4])
        await ctx.db.insert('authWebhooks', { svixId: `w${days}`, receivedAt: (now - days * day) * 1_000 })
      for (const hours of [0, 2])
        await ctx.db.insert('authRunnerWrongCodes', { person: 'ada', at: now - hours * 3_600 })
    })
    expect(await world.t.mutation(internal.auth.sweep, {})).toEqual({ deleted: 4, more: false })
    expect(await count('authUsedProofs')).toBe(2)
    expect(await count('authAudit')).toBe(2)
    expect(await count('authWebhooks')).toBe(2)
    expect(await count('authRunnerWrongCodes')).toBe(1)
    expect(await world.t.mutation(internal.auth.sweep, {})).toEqual({ deleted: 0, more: false })
  })

  it('goes on by itself where there is more than a transaction’s worth', async () => {
    const until = world.clock.now() - 1_000
    await world.t.run(async (ctx) => {
      for (let at = 0; at < 450; at++) await ctx.db.insert('authUsedProofs', { proof: `p${at}`, until })
    })
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      expect(await world.t.mutation(internal.auth.sweep, {})).toEqual({ deleted: 200, more: true })
      await world.t.finishAllScheduledFunctions(vi.runAllTimers)
    } finally {
      vi.useRealTimers()
    }
    expect(await count('authUsedProofs')).toBe(0)
  })

  it('leaves a proof refused that was used, for as long as it could pass', async () => {
    const { key } = await world.paired()
    const { body } = await world.askUnattended(key)
    expect((await world.call(key, body.access_token)).status).toBe(200)
    await world.clock.pass(60)
    await world.t.mutation(internal.auth.sweep, {})
    expect(await count('authUsedProofs')).toBeGreaterThan(0)
    await world.clock.pass(day + 1)
    await world.t.mutation(internal.auth.sweep, {})
    expect(await count('authUsedProofs')).toBe(0)
    expect(await count('authRunnerPairings')).toBe(0)
    expect((await world.call(key, (await world.askUnattended(key)).body.access_token)).status).toBe(200)
  })
})

describe('the keys of the deployment', () => {
  const reads: string[] = []
  const real = globalThis.fetch
  beforeEach(() => {
    reads.length = 0
    vi.stubGlobal('fetch', (to: string | URL | Request, init?: RequestInit) => {
      if (String(to).endsWith('/.well-known/jwks.json')) reads.push(String(to))
      return real(to, init)
    })
    return () => vi.unstubAllGlobals()
  })

  it('are read once in an hour, however many requests come', async () => {
    const { key } = await world.paired()
    for (let times = 0; times < 5; times++) {
      const { body } = await world.askUnattended(key)
      expect((await world.call(key, body.access_token)).status).toBe(200)
    }
    expect(reads).toEqual([`${world.loopback.url}/.well-known/jwks.json`])
    await world.clock.pass(3_700)
    const { body } = await world.askUnattended(key)
    expect((await world.call(key, body.access_token)).status).toBe(200)
    expect(reads).toHaveLength(2)
  })

  it('that do not exist are looked for once in 30 s', async () => {
    const { key } = await world.paired()
    const { body } = await world.askUnattended(key)
    expect((await world.call(key, body.access_token)).status).toBe(200)
    await world.clock.pass(30)
    const [, ...rest] = body.access_token.split('.')
    for (let at = 0; at < 20; at++) {
      const header = Buffer.from(JSON.stringify({ alg: 'ES256', typ: 'JWT', kid: `unknown-${at}` })).toString(
        'base64url',
      )
      expect((await world.call(key, [header, ...rest].join('.'))).status).toBe(401)
    }
    expect(reads).toHaveLength(2)
  })

  it('that cannot be read are an outage and no refusal; those that are held serve on', async () => {
    const { key } = await world.paired()
    let isDown = true
    vi.stubGlobal('fetch', (to: string | URL | Request, init?: RequestInit) =>
      isDown && String(to).endsWith('/.well-known/jwks.json') ? Promise.reject(new TypeError('down')) : real(to, init),
    )
    const { body } = await world.askUnattended(key)
    const answer = await world.call(key, body.access_token)
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '5'])
    isDown = false
    await world.clock.pass(1)
    expect((await world.call(key, body.access_token)).status).toBe(200)
    isDown = true
    await world.clock.pass(7_200)
    const next = await world.askUnattended(key)
    expect((await world.call(key, next.body.access_token)).status).toBe(200)
  })

  it('may be pinned, and then nobody is asked', async () => {
    const { place } = await import('./convex-runners/auth.ts')
    const keys = { keys: world.loopback.key.jwks.keys.map(({ kid = '', kty = '', ...key }) => ({ kid, kty, ...key })) }
    Object.assign(place.deployment, { keys })
    const { key } = await world.paired()
    const { body } = await world.askUnattended(key)
    expect((await world.call(key, body.access_token)).status).toBe(200)
    expect(reads).toEqual([])
  })
})
