import { describe, expect, it, vi } from 'vitest'
import type { Tabs } from '../src/client/index.ts'
import { clientWorld, pageClerk, soon } from './client-world.ts'
import { api } from './convex/_generated/api.ts'

const kinds = ['ConvexClient', 'ConvexReactClient'] as const

describe('what is known of the real ConvexClient 1.48', () => {
  it('leaves the server signed in after a `setAuth` that answers null', async () => {
    const { clerk, as, open, t } = await clientWorld()
    const source = pageClerk(clerk, as('ada', 'org_a'))
    const { client, shown } = open.ConvexClient()
    client.setAuth(() => source.getToken({ skipCache: true, signal: new AbortController().signal }))
    await vi.waitFor(() => expect(shown.names).toEqual(['alpha']), soon)
    await new Promise<void>((resolve) =>
      client.setAuth(
        async () => null,
        (isIn) => isIn || resolve(),
      ),
    )
    await client.mutation(api.projects.create, { name: 'by nobody?' })
    expect((await t.run((ctx) => ctx.db.query('authAudit').collect())).at(-1)).toMatchObject({ outcome: 'allowed' })
  })

  it('signs in again after `clearAuth` when a confirmation was under way', async () => {
    const { clerk, as, open } = await clientWorld()
    const source = pageClerk(clerk, as('ada', 'org_a'))
    const { client, shown } = open.ConvexClient()
    let confirm = () => {}
    const later = new Promise<void>((resolve) => {
      confirm = resolve
    })
    client.setAuth(async ({ forceRefreshToken }) => {
      if (forceRefreshToken) await later
      return source.getToken({ skipCache: forceRefreshToken, signal: new AbortController().signal })
    })
    await vi.waitFor(() => expect(shown.names).toEqual(['alpha']), soon)
    client.client.clearAuth()
    await vi.waitFor(() => expect(shown.names).toBe('refused'), soon)
    confirm()
    await vi.waitFor(() => expect(shown.names).toEqual(['alpha']), soon)
  })

  it('is mute when a second `setAuth` comes while the first one waits', async () => {
    const { open } = await clientWorld()
    const { client } = open.ConvexClient()
    client.setAuth(() => new Promise(() => {}))
    await vi.waitFor(() => expect(client.connectionState().isWebSocketConnected).toBe(true), soon)
    await new Promise<void>((resolve) =>
      client.setAuth(
        async () => null,
        (isIn) => isIn || resolve(),
      ),
    )
    await new Promise((resolve) => setImmediate(resolve))
    expect(client.connectionState()).toMatchObject({ isWebSocketConnected: true, hasEverConnected: false })
  })
})

describe.each(kinds)('signing out of a %s', (kind) => {
  const start = async () => {
    const world = await clientWorld()
    const source = pageClerk(world.clerk, world.as('ada', 'org_a'))
    const { client, shown } = world.open[kind]()
    return { ...world, source, client, shown }
  }
  /** Nobody is signed in at the server. */
  const expectNobody = async ({ client, t }: Awaited<ReturnType<typeof start>>) => {
    const before = (await t.run((ctx) => ctx.db.query('projects').collect())).length
    await (client.mutation as (reference: unknown, args: object) => Promise<unknown>)(api.projects.create, {
      name: 'x',
    })
    expect(await t.run((ctx) => ctx.db.query('projects').collect())).toHaveLength(before)
  }

  it('reaches the server', async () => {
    const world = await start()
    const { kept, state } = world.keep(world.client, world.source)
    await vi.waitFor(() => expect([state(), world.shown.names]).toEqual(['signed-in', ['alpha']]), soon)
    world.source.tell({ sessionId: null, userId: null, orgId: null })
    expect(kept.getSnapshot()).toEqual({ state: 'signed-out', isRenewalFailing: false })
    await world.pass(1, world.source)
    await vi.waitFor(() => expect(world.shown.names).toBe('refused'), soon)
    await expectNobody(world)
    const refused = kept.mutation(api.projects.create, { name: 'x' })
    await expect(refused).rejects.toMatchObject({ code: 'no_live_token', reason: 'signed-out' })
    const asked = world.source.asked.length
    await world.pass(120, world.source)
    expect(world.source.asked).toHaveLength(asked)
  })

  it('reaches the server when the first token is not confirmed yet', async () => {
    const world = await start()
    const { state, events } = world.keep(world.client, world.source)
    await vi.waitFor(() => expect(events.map(({ type }) => type)).toContain('token_renewed'), soon)
    world.source.tell({ sessionId: null })
    await world.pass(1, world.source)
    await vi.waitFor(() => expect([state(), world.shown.names]).toEqual(['signed-out', 'refused']), soon)
    await expectNobody(world)
  })

  it('reaches the server while a token of another organisation is awaited', async () => {
    const world = await start()
    const { state } = world.keep(world.client, world.source)
    await vi.waitFor(() => expect([state(), world.shown.names]).toEqual(['signed-in', ['alpha']]), soon)
    await world.pass(1, world.source)
    world.clerk.setOutage('drop')
    world.source.tell({ orgId: 'org_b' })
    await world.pass(2, world.source)
    expect([state(), world.shown.names]).toEqual(['unavailable', ['alpha']])
    world.source.tell({ sessionId: null })
    await world.pass(1, world.source)
    await vi.waitFor(() => expect([state(), world.shown.names]).toEqual(['signed-out', 'refused']), soon)
    await expectNobody(world)
  })

  it('reaches the server in an outage, after the token has ended', async () => {
    const world = await start()
    const { t, ids } = world
    const { state } = world.keep(world.client, world.source)
    await vi.waitFor(() => expect([state(), world.shown.names]).toEqual(['signed-in', ['alpha']]), soon)
    await world.pass(1, world.source)
    world.clerk.setOutage('drop')
    await world.pass(120, world.source)
    // Convex tells of the end when it has something to tell.
    await t.run((ctx) => ctx.db.patch(ids.projectA, { name: 'unseen' }))
    await vi.waitFor(() => expect(world.client.connectionState().isWebSocketConnected).toBe(false), soon)
    expect([state(), world.shown.names]).toEqual(['degraded', ['alpha']])
    world.source.tell({ sessionId: null })
    await world.pass(1, world.source)
    await vi.waitFor(() => expect([state(), world.shown.names]).toEqual(['signed-out', 'refused']), soon)
    await expectNobody(world)
  })

  it('and in as another person shows that person, and never sends what the first one could not', async () => {
    const world = await start()
    const { client, source, loopback, t } = world
    const { kept, state } = world.keep(client, source)
    await vi.waitFor(() => expect([state(), world.shown.names]).toEqual(['signed-in', ['alpha']]), soon)
    await world.pass(1, source)
    loopback.setOutage(true)
    await vi.waitFor(() => expect(client.connectionState().isWebSocketConnected).toBe(false), soon)
    const late = kept.mutation(api.projects.create, { name: 'for acme alone' })
    await vi.waitFor(() => expect(client.connectionState().inflightMutations).toBe(1), soon)
    source.tell(world.as('bob', 'org_b'))
    await world.pass(1, source)
    loopback.setOutage(false)
    await expect(late).rejects.toMatchObject({ code: 'access_denied', reason: 'signed_out' })
    await world.pass(1, source)
    await vi.waitFor(() => expect([state(), world.shown.names]).toEqual(['signed-in', ['beta']]), soon)
    expect((await t.run((ctx) => ctx.db.query('projects').collect())).map(({ name }) => name)).toEqual([
      'alpha',
      'beta',
    ])
    expect(kept.getSnapshot()).toMatchObject({
      session: world.sessions.bob,
      subject: world.people.bob.id,
      org: 'org_b',
    })
  })
})

describe('another organisation', () => {
  it('is shown by a fresh token at once, and none of the first is called in its name', async () => {
    const { clerk, as, open, keep, pass, t } = await clientWorld()
    const source = pageClerk(clerk, as('ada', 'org_a'))
    const { client, shown } = open.ConvexClient()
    const { kept, state } = keep(client, source)
    await vi.waitFor(() => expect([state(), shown.names]).toEqual(['signed-in', ['alpha']]), soon)
    await pass(1, source)
    source.tell({ orgId: 'org_b' })
    expect([state(), source.asked]).toEqual(['loading', [false, true]])
    const created = kept.mutation(api.projects.create, { name: 'gamma' })
    await pass(1, source)
    await created
    await vi.waitFor(() => expect([state(), shown.names]).toEqual(['signed-in', ['beta', 'gamma']]), soon)
    expect((await t.run((ctx) => ctx.db.query('projects').collect())).at(-1)).toMatchObject({ orgId: 'org_b' })
  })

  it('in an outage is unavailable; back again what lives is used', async () => {
    const { clerk, as, open, keep, pass } = await clientWorld()
    const source = pageClerk(clerk, as('ada', 'org_a'))
    const { client, shown } = open.ConvexClient()
    const { kept, state } = keep(client, source)
    await vi.waitFor(() => expect([state(), shown.names]).toEqual(['signed-in', ['alpha']]), soon)
    await pass(1, source)
    clerk.setOutage('unavailable')
    source.tell({ orgId: 'org_b' })
    await pass(5, source)
    expect([state(), shown.names]).toEqual(['unavailable', ['alpha']])
    const refused = kept.mutation(api.projects.create, { name: 'nowhere' })
    await expect(refused).rejects.toMatchObject({ code: 'no_live_token', reason: 'unavailable' })
    source.tell({ orgId: 'org_a' })
    await pass(1, source)
    await vi.waitFor(() => expect(state()).toBe('signed-in'), soon)
    await kept.mutation(api.projects.create, { name: 'here' })
    await vi.waitFor(() => expect(shown.names).toEqual(['alpha', 'here']), soon)
  })

  it('does not get the calls that the first one waits to send', async () => {
    const { clerk, as, open, keep, pass, loopback, t } = await clientWorld()
    const source = pageClerk(clerk, as('ada', 'org_a'))
    const { client, shown } = open.ConvexClient()
    const { kept, state } = keep(client, source)
    await vi.waitFor(() => expect([state(), shown.names]).toEqual(['signed-in', ['alpha']]), soon)
    await pass(1, source)
    loopback.setOutage(true)
    await vi.waitFor(() => expect(client.connectionState().isWebSocketConnected).toBe(false), soon)
    const late = kept.mutation(api.projects.create, { name: 'for the first' })
    await vi.waitFor(() => expect(client.connectionState().inflightMutations).toBe(1), soon)
    source.tell({ orgId: 'org_b' })
    await pass(1, source)
    loopback.setOutage(false)
    await expect(late).rejects.toMatchObject({ code: 'access_denied' })
    await pass(1, source)
    await vi.waitFor(() => expect([state(), shown.names]).toEqual(['signed-in', ['beta']]), soon)
    expect((await t.run((ctx) => ctx.db.query('projects').collect())).map(({ name }) => name)).toEqual([
      'alpha',
      'beta',
    ])
  })

  it('is no other one with another role: a fresh token, and nothing else', async () => {
    const { clerk, as, open, keep, pass } = await clientWorld()
    const source = pageClerk(clerk, as('ada', 'org_a'))
    const { client, shown } = open.ConvexClient()
    const { state, events } = keep(client, source)
    await vi.waitFor(() => expect([state(), shown.names]).toEqual(['signed-in', ['alpha']]), soon)
    await pass(1, source)
    source.tell({ orgRole: 'org:member' })
    await pass(1, source)
    await vi.waitFor(() => expect(events.filter(({ type }) => type === 'token_renewed')).toHaveLength(2), soon)
    expect(events.filter(({ type }) => type === 'state')).toHaveLength(1)
  })
})

describe('a session that ends elsewhere', () => {
  it('is told by another tab', async () => {
    const { clerk, as, open, keep, pass } = await clientWorld()
    const heard = new Set<(session: string) => void>()
    const tabs = (): Tabs => {
      let own = (_session: string) => {}
      return {
        tell: (session) => {
          for (const call of heard) if (call !== own) call(session)
        },
        listen(call) {
          own = call
          heard.add(call)
          return () => heard.delete(call)
        },
      }
    }
    const pages = [0, 1].map(() => {
      const source = pageClerk(clerk, as('ada', 'org_a'))
      return { source, ...open.ConvexClient() }
    })
    const kept = pages.map(({ client, source }) => keep(client, source, { tabs: tabs() }))
    await vi.waitFor(() => expect(kept.map(({ state }) => state())).toEqual(['signed-in', 'signed-in']), soon)
    const [first, second] = pages
    if (first === undefined || second === undefined) throw new Error('no pages')
    await pass(1, first.source, second.source)
    first.source.tell({ sessionId: null })
    expect(kept.map(({ state }) => state())).toEqual(['signed-out', 'signed-out'])
    await pass(1)
    await vi.waitFor(() => expect(second.shown.names).toBe('refused'), soon)
    // Clerk in that tab may not have heard yet.
    second.source.tell({})
    expect(kept[1]?.state()).toBe('signed-out')
    second.source.tell(as('bob', 'org_b'))
    await pass(1, second.source)
    await vi.waitFor(() => expect([kept[1]?.state(), second.shown.names]).toEqual(['signed-in', ['beta']]), soon)
  })

  it('is told by Clerk at the next token, or when the page is seen again', async () => {
    const { clerk, as, open, keep, pass, sessions } = await clientWorld()
    const source = pageClerk(clerk, as('ada', 'org_a'))
    const { client, shown } = open.ConvexClient()
    const { kept, state } = keep(client, source)
    await vi.waitFor(() => expect([state(), shown.names]).toEqual(['signed-in', ['alpha']]), soon)
    await pass(15, source)
    clerk.world.endSession(sessions.ada, 'ended')
    kept.look()
    await pass(1, source)
    await vi.waitFor(() => expect([state(), shown.names]).toEqual(['signed-out', 'refused']), soon)
  })
})

it('stops at `close`: no timer, no call, and nobody once the token has ended', async () => {
  const { clerk, clock, as, open, keep, pass, t, ids } = await clientWorld()
  const source = pageClerk(clerk, as('ada', 'org_a'))
  const { client, shown } = open.ConvexClient()
  const before = clock.timers
  const { kept, state } = keep(client, source)
  await vi.waitFor(() => expect([state(), shown.names]).toEqual(['signed-in', ['alpha']]), soon)
  kept.close()
  await pass(1, source)
  expect(clock.timers).toBe(before)
  await expect(kept.query(api.projects.list, {})).rejects.toMatchObject({ code: 'no_live_token' })
  expect(shown.names).toEqual(['alpha'])
  await pass(120, source)
  expect(source.asked).toHaveLength(1)
  await t.run((ctx) => ctx.db.patch(ids.projectA, { name: 'unseen' }))
  await vi.waitFor(() => expect(shown.names).toBe('refused'), soon)
})

it('may be taken over by another one, without a word to the server', async () => {
  const { clerk, as, open, keep, pass } = await clientWorld()
  const source = pageClerk(clerk, as('ada', 'org_a'))
  const { client, shown } = open.ConvexReactClient()
  const first = keep(client, source)
  first.kept.close()
  const second = keep(client, source)
  await vi.waitFor(() => expect([second.state(), shown.names]).toEqual(['signed-in', ['alpha']]), soon)
  await pass(1, source)
  second.kept.close()
  const third = keep(client, pageClerk(clerk, as('bob', 'org_b')))
  await pass(1)
  await vi.waitFor(() => expect([third.state(), shown.names]).toEqual(['signed-in', ['beta']]), soon)
})
