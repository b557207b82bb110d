import { describe, expect, it, vi } from 'vitest'
import { atEnd, clientWorld, pageClerk, soon } from './client-world.ts'
import { api } from './convex/_generated/api.ts'

describe.each(['drop', 'unavailable'] as const)('Clerk down (%s) for 10 minutes', (outage) => {
  it('clears nobody: calls go on while tokens live, then fail closed with the last results shown, and it comes back by itself', async () => {
    const { t, clerk, as, open, keep, pass, ids, sessions } = await clientWorld()
    const pages = (['ConvexClient', 'ConvexReactClient'] as const).map((kind) => {
      const source = pageClerk(clerk, as('ada', 'org_a'))
      const { client, shown } = open[kind]()
      return { source, client, shown, ...keep(client, source) }
    })
    const sources = pages.map(({ source }) => source)
    const [page] = pages
    if (page === undefined) throw new Error('no page')
    const states = () => pages.map(({ state }) => state())
    const names = () => pages.map(({ shown }) => shown.names)
    await vi.waitFor(() => expect([states(), names()]).toEqual([both('signed-in'), both(['alpha'])]), soon)
    await pass(5, ...sources)

    clerk.setOutage(outage)
    let wanted = ['alpha']
    let last = Number.POSITIVE_INFINITY
    const rename = (name: string) =>
      pages.map(({ kept }) => kept.mutation(api.projects.rename, { id: ids.projectA, name }))
    for (let at = 0; at < 600; at += 10) {
      await pass(10, ...sources)
      const lives = at + 15 < 60
      expect(states()).toEqual(both(lives ? 'signed-in' : 'degraded'))
      const outcomes = await Promise.allSettled(rename(`at ${at}`))
      if (lives) {
        expect(outcomes.map(({ status }) => status)).toEqual(both('fulfilled'))
        wanted = [`at ${at}`]
        last = at
      } else {
        const refused = { status: 'rejected', reason: { code: 'no_live_token', reason: 'degraded' } }
        expect(outcomes).toMatchObject(both(refused))
      }
      await vi.waitFor(() => expect(names()).toEqual(both(wanted)), soon)
    }
    expect(last).toBe(40)
    expect(clerk.world.sessions.get(sessions.ada)?.status).toBe('active')
    expect(page.kept.getSnapshot()).toMatchObject({ session: sessions.ada, org: 'org_a', isRenewalFailing: true })
    // A try each 2.5 s at this chance, 1.25 s at most, and those that come sooner at first.
    for (const { asked } of sources) expect(asked.length).toBeLessThan(250)

    await t.run((ctx) => ctx.db.patch(ids.projectA, { name: 'meanwhile' }))
    clerk.setOutage(undefined)
    await pass(5, ...sources)
    await vi.waitFor(() => expect([states(), names()]).toEqual([both('signed-in'), both(['meanwhile'])]), soon)
    // What was refused was not kept for later.
    const done = (await t.run((ctx) => ctx.db.query('authAudit').collect())).filter(
      ({ action }) => action === 'project.rename',
    )
    expect(done).toHaveLength(2 * 5)
    await Promise.all(rename('after'))
    await vi.waitFor(() => expect(names()).toEqual(both(['after'])), soon)
  }, 120_000)
})

function both<Value>(value: Value): Value[] {
  return [value, value]
}

it('recovers from a Clerk that does not answer at all, while older calls still hang', async () => {
  const { clerk, clock, as, open, keep, sessions, pass } = await clientWorld()
  const source = pageClerk(clerk, as('ada', 'org_a'))
  const { client, shown } = open.ConvexClient()
  const hanging: AbortSignal[] = []
  let isOut = false
  const getToken: typeof source.getToken = (options) => {
    if (!isOut) return source.getToken(options)
    hanging.push(options.signal)
    return new Promise(() => {})
  }
  const { state, events } = keep(client, { ...source, getToken })
  await vi.waitFor(() => expect([state(), shown.names]).toEqual(['signed-in', ['alpha']]), soon)
  isOut = true
  await clock.pass(600)
  expect([state(), shown.names]).toEqual(['degraded', ['alpha']])
  expect(events).toContainEqual(expect.objectContaining({ type: 'renewal_failed', reason: 'slow' }))
  // Four at once at the most, the older ones told to end.
  expect(hanging.filter(({ aborted }) => !aborted)).toHaveLength(4)
  expect(hanging.length).toBeLessThan(600 / 2.5)
  isOut = false
  await pass(5, source)
  await vi.waitFor(() => expect(state()).toBe('signed-in'), soon)
  expect(hanging.every(({ aborted }) => aborted)).toBe(true)
  expect(clerk.world.sessions.get(sessions.ada)?.status).toBe('active')
})

it('is not known to those whose token is renewed after it', async () => {
  const { clerk, as, open, keep, pass } = await clientWorld()
  const source = pageClerk(clerk, as('ada', 'org_a'))
  const { client, shown } = open.ConvexClient()
  const { state, events, kept } = keep(client, source)
  await vi.waitFor(() => expect([state(), shown.names]).toEqual(['signed-in', ['alpha']]), soon)
  const first = kept.getSnapshot().expiresAt
  clerk.setOutage('drop')
  await pass(50, source)
  expect(kept.getSnapshot()).toMatchObject({ state: 'signed-in', isRenewalFailing: true, expiresAt: first })
  clerk.setOutage(undefined)
  await pass(5, source)
  await vi.waitFor(
    () => expect(kept.getSnapshot()).toMatchObject({ state: 'signed-in', isRenewalFailing: false }),
    soon,
  )
  expect(kept.getSnapshot().expiresAt).toBeGreaterThan(first ?? 0)
  expect(events.filter(({ type }) => type === 'state')).toHaveLength(1)
})

it('at the loading of a page is no sign-out: calls are refused, and it signs in when Clerk is back', async () => {
  const { clerk, as, open, keep, pass } = await clientWorld()
  const source = pageClerk(clerk, as('ada', 'org_a'))
  clerk.setOutage('drop')
  const { client, shown } = open.ConvexClient()
  const { state, kept } = keep(client, source)
  const early = kept.query(api.projects.list, {})
  await expect(early).rejects.toMatchObject({ code: 'no_live_token', reason: 'unavailable' })
  await pass(60, source)
  expect([state(), shown.names]).toEqual(['unavailable', 'nothing yet'])
  clerk.setOutage(undefined)
  await pass(5, source)
  await vi.waitFor(() => expect([state(), shown.names]).toEqual(['signed-in', ['alpha']]), soon)
})

it('that keeps Clerk from loading is unavailable after 10 s, and later loading counts', async () => {
  const { clerk, clock, as, open, keep } = await clientWorld()
  const source = pageClerk(clerk, { isLoaded: false })
  const { client, shown } = open.ConvexClient()
  const { state, kept } = keep(client, source)
  const early = kept.query(api.projects.list, {})
  const refused = expect(early).rejects.toMatchObject({ code: 'no_live_token', reason: 'unavailable' })
  await clock.pass(9)
  expect(state()).toBe('loading')
  await clock.pass(2)
  expect(state()).toBe('unavailable')
  await refused
  source.tell(as('ada', 'org_a'))
  await vi.waitFor(() => expect([state(), shown.names]).toEqual(['signed-in', ['alpha']]), soon)
  // Clerk that loads anew says nothing about who is here.
  source.tell({ isLoaded: false, sessionId: undefined })
  expect(state()).toBe('signed-in')
})

it('while the page sleeps: the token is renewed before anything is sent', async () => {
  const { clerk, clock, as, open, keep, pass, ids } = await clientWorld()
  const source = pageClerk(clerk, as('ada', 'org_a'))
  const { client, shown } = open.ConvexClient()
  let wake = () => {}
  const onWake = (call: () => void) => {
    wake = call
    return () => {}
  }
  const { state, kept } = keep(client, source, { onWake })
  await vi.waitFor(() => expect([state(), shown.names]).toEqual(['signed-in', ['alpha']]), soon)
  clock.jump(3_600)
  wake()
  const renamed = kept.mutation(api.projects.rename, { id: ids.projectA, name: 'awake' })
  await pass(1, source)
  await renamed
  expect(state()).toBe('signed-in')
  const asked = source.asked.length
  for (let focus = 0; focus < 20; focus++) wake()
  expect(source.asked).toHaveLength(asked)
})

it('of Convex is not one of Clerk: the token is renewed, and calls wait for Convex', async () => {
  const { clerk, loopback, as, open, keep, ids } = await clientWorld()
  const source = pageClerk(clerk, as('ada', 'org_a'))
  const { client, shown } = open.ConvexClient()
  const { state, kept } = keep(client, source)
  await vi.waitFor(() => expect([state(), shown.names]).toEqual(['signed-in', ['alpha']]), soon)
  loopback.setOutage(true)
  atEnd(() => loopback.setOutage(false))
  await vi.waitFor(() => expect(client.connectionState().isWebSocketConnected).toBe(false), soon)
  const pending = kept.mutation(api.projects.rename, { id: ids.projectA, name: 'later' })
  loopback.setOutage(false)
  await pending
  expect(state()).toBe('signed-in')
})
