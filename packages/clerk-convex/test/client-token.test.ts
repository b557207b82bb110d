import { testClock } from '@countersign-tooling/clock'
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { longestDelayMs, retryDelayMs } from '../src/client/backoff.ts'
import {
  type ClerkJs,
  channelTabs,
  clerkJs,
  isSessionEnd,
  keepAuthenticated,
  type RenewalFailure,
} from '../src/client/index.ts'
import { readToken, TokenLife } from '../src/client/token.ts'
import { isAuthError } from '../src/index.ts'
import { clientWorld, pageClerk, soon } from './client-world.ts'
import { api } from './convex/_generated/api.ts'

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const jwt = (claims: unknown): string => `${encode({ alg: 'RS256' })}.${encode(claims)}.c2ln`

describe('a token, as its page reads it', () => {
  it.each([
    ['of a session', { exp: 160, iat: 100, sub: 'u', sid: 's', o: { id: 'org' } }, 'u', 's', 'org'],
    ['of version 1', { exp: 160, iat: 100, sub: 'u', sid: 's', org_id: 'org' }, 'u', 's', 'org'],
    ['of a template', { exp: 160, sub: 'ü✓', aud: 'convex' }, 'ü✓', undefined, undefined],
    [
      'with claims of other types',
      { exp: 160, iat: 'now', sub: 1, sid: {}, o: 'org' },
      undefined,
      undefined,
      undefined,
    ],
  ])('%s', (_what, claims, subject, session, organization) => {
    const issuedAt = 'iat' in claims && claims.iat === 100 ? 100 : undefined
    expect(readToken(jwt(claims))).toMatchObject({ expiresAt: 160, issuedAt, subject, session, organization })
  })

  it.each([
    '',
    'a',
    'a.b',
    'a.!.c',
    `a.${encode('text')}.c`,
    `a.${encode(null)}.c`,
    jwt({}),
    jwt({ exp: '9' }),
    jwt({ exp: null }),
  ])('is none in %j', (value) => expect(readToken(value)).toBeUndefined())

  it('lives as long as it says from when it was made, whatever the clock of the machine is set to', async () => {
    const clock = testClock()
    const now = clock.now()
    for (const skew of [-3_600, 0, 3_600]) {
      const facts = readToken(jwt({ iat: now + skew, exp: now + skew + 60 }))
      if (facts === undefined) throw new Error('no token')
      expect(new TokenLife(facts, true, clock).leftMs).toBe(60_000)
      // Out of a cache it may be older than it looks, and is never younger.
      expect(new TokenLife(facts, false, clock).leftMs).toBe(skew < 0 ? -3_540_000 : 60_000)
    }
    const facts = readToken(jwt({ iat: now, exp: now + 60 }))
    if (facts === undefined) throw new Error('no token')
    const life = new TokenLife(facts, true, clock)
    await clock.pass(20)
    expect(life.leftMs).toBe(40_000)
    // A sleep that the other clock did not see.
    clock.jump(100)
    expect(life.leftMs).toBe(-60_000)
    expect(life.wholeMs).toBe(60_000)
  })
})

it('waits between tries from a quarter of a second to 2.5 s, and half of it by chance', () => {
  const chance = fc.double({ min: 0, max: 1, noNaN: true })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000_000 }), chance, (failures, random) => {
      const delayMs = retryDelayMs(failures, () => random)
      expect(delayMs).toBeGreaterThanOrEqual(250)
      expect(delayMs).toBeLessThanOrEqual(longestDelayMs)
      expect(retryDelayMs(failures + 1, () => random)).toBeGreaterThanOrEqual(delayMs)
    }),
  )
  expect(retryDelayMs(9, () => 1)).toBe(2_500)
  expect(retryDelayMs(9, () => 0)).toBe(1_250)
})

it.each([
  [true, 'a 401 of Clerk', { status: 401, errors: [{ code: 'signed_out' }] }],
  [true, 'a 403 for a banned user', { status: 403, errors: [{ code: 'user_banned' }] }],
  [false, 'a 403 for anything else', { status: 403, errors: [{ code: 'not_allowed_access' }] }],
  [false, 'a 401 of something in between', { status: 401 }],
  [false, 'a 401 with a page', { status: 401, errors: '<html>' }],
  [false, 'a 401 that asks for a captcha', { status: 401, errors: [{ code: 'requires_captcha' }] }],
  [false, 'a 401 without a code', { status: 401, errors: [{}] }],
  [false, 'a 401 with nothing in it', { status: 401, errors: [] }],
  [false, 'a 429', { status: 429, errors: [{ code: 'rate_limit_exceeded' }] }],
  [false, 'a 503', { status: 503, errors: [{ code: 'internal' }] }],
  [false, 'no connection', new TypeError('fetch failed')],
  [false, 'nothing', undefined],
])('says %s of a session’s end to %s', (expected, _what, error) => expect(isSessionEnd(error)).toBe(expected))

it('reads who is here from Clerk’s browser SDK', async () => {
  const listeners = new Set<() => void>()
  const asked: object[] = []
  const clerk: { -readonly [Name in keyof ClerkJs]: ClerkJs[Name] } = {
    loaded: false,
    addListener(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
  const source = clerkJs(clerk)
  expect(source.current()).toMatchObject({ isLoaded: false, sessionId: undefined })
  const heard = vi.fn()
  const stop = source.subscribe(heard)
  clerk.loaded = true
  expect(source.current().isLoaded).toBe(false)
  const getToken = async (options: object) => {
    asked.push(options)
    return 'token'
  }
  clerk.session = { id: 'sess_1', lastActiveOrganizationId: 'org_1', getToken }
  clerk.user = { id: 'user_1' }
  for (const listener of listeners) listener()
  expect(heard).toHaveBeenCalledTimes(1)
  expect(source.current()).toEqual({ isLoaded: true, sessionId: 'sess_1', userId: 'user_1', orgId: 'org_1' })
  clerk.organization = { id: 'org_2' }
  expect(source.current().orgId).toBe('org_2')
  const { signal } = new AbortController()
  expect(await source.getToken({ skipCache: true, template: 'convex', signal })).toBe('token')
  expect(await source.getToken({ skipCache: false, signal })).toBe('token')
  expect(asked).toEqual([{ skipCache: true, template: 'convex' }, { skipCache: false }])
  clerk.session = null
  expect(source.current()).toMatchObject({ isLoaded: true, sessionId: undefined })
  expect(await source.getToken({ skipCache: true, signal })).toBeUndefined()
  stop()
  expect(listeners.size).toBe(0)
})

it('tells other tabs of a sign-out, and hears nothing else', async () => {
  const name = `tabs ${process.pid}`
  const [own, other, noise] = [new BroadcastChannel(name), new BroadcastChannel(name), new BroadcastChannel(name)]
  const heard: string[] = []
  const stop = channelTabs(other).listen((session) => heard.push(session))
  for (const message of [undefined, 'sess_1', { session: 1 }, {}]) noise.postMessage(message)
  channelTabs(own).tell('sess_2')
  await vi.waitFor(() => expect(heard).toEqual(['sess_2']), soon)
  stop()
  own.close()
  noise.close()
})

describe('tokens that come', () => {
  const start = async () => {
    const world = await clientWorld()
    const source = pageClerk(world.clerk, world.as('ada', 'org_a'))
    return { ...world, source, ...world.open.ConvexClient() }
  }

  it('are renewed before their end, and at most once a second however short they live', async () => {
    const world = await start()
    const { source } = world
    source.options = { lifeSeconds: 2 }
    const { events } = world.keep(world.client, source)
    await world.pass(60, source)
    expect(source.asked.length).toBeLessThanOrEqual(61)
    expect(events.some(({ type }) => type === 'renewal_failed')).toBe(false)
    source.options = { lifeSeconds: 0 }
    const before = source.asked.length
    await world.pass(60, source)
    expect(source.asked.length - before).toBeLessThanOrEqual(32)
    source.options = { lifeSeconds: 60 }
    await world.pass(10, source)
    const then = source.asked.length
    await world.pass(90, source)
    expect(source.asked.length - then).toBeLessThanOrEqual(3)
  })

  it.each([-3_600, 3_600])('on a machine whose clock is %i s off are renewed as on any other', async (off) => {
    const world = await start()
    const { source, clock } = world
    const wrong = { now: () => clock.now() + off, monotonicMs: () => clock.monotonicMs(), after: clock.after }
    const { kept, state, events } = world.keep(world.client, source, { clock: wrong })
    await world.pass(1, source)
    await vi.waitFor(() => expect([state(), world.shown.names]).toEqual(['signed-in', ['alpha']]), soon)
    await world.pass(200, source)
    expect(state()).toBe('signed-in')
    // A cached one looks ended if the clock is ahead, and is asked for again.
    expect(source.asked.length).toBeLessThanOrEqual(off > 0 ? 7 : 6)
    expect(events.some(({ type }) => type === 'renewal_failed')).toBe(false)
    await kept.mutation(api.projects.create, { name: 'on time' })
  })

  it.each([
    ['of another user', { claims: { sub: 'user_other' } }, 'foreign'],
    ['of another session', { claims: { sid: 'sess_other' } }, 'foreign'],
    ['of another organisation', { claims: { o: { id: 'org_b' } } }, 'foreign'],
    ['that have ended', { lifeSeconds: -1 }, 'ended'],
  ] as const)('and are %s are not used', async (_what, options, reason) => {
    const world = await start()
    world.source.options = options
    const { state, events } = world.keep(world.client, world.source)
    await world.pass(1, world.source)
    expect(state()).toBe('unavailable')
    expect(events).toContainEqual(expect.objectContaining({ type: 'renewal_failed', reason }))
    expect(world.client.getAuth()).toBeUndefined()
    world.source.options = {}
    await world.pass(4, world.source)
    await vi.waitFor(() => expect([state(), world.shown.names]).toEqual(['signed-in', ['alpha']]), soon)
  })

  const broken: [what: string, getToken: () => Promise<string | null>, reason: RenewalFailure][] = [
    ['null', async () => null, 'no_token'],
    ['nothing at all', async () => '', 'no_token'],
    ['what is no token', async () => 'gibberish', 'unreadable'],
    [
      'by throwing at once',
      () => {
        throw new Error('synchronous')
      },
      'error',
    ],
    [
      'with a 401 of something in between',
      async () => {
        throw Object.assign(new Error('portal'), { status: 401 })
      },
      'error',
    ],
  ]
  it.each(broken)('as %s sign nobody out', async (_what, getToken, reason) => {
    const world = await start()
    const { source } = world
    let isBroken = false
    const answer: typeof source.getToken = (asked) => (isBroken ? getToken() : source.getToken(asked))
    const options = { ...source, getToken: answer }
    const { kept, state, events } = world.keep(world.client, options)
    await vi.waitFor(() => expect([state(), world.shown.names]).toEqual(['signed-in', ['alpha']]), soon)
    isBroken = true
    await world.pass(70, source)
    expect([state(), world.shown.names]).toEqual(['degraded', ['alpha']])
    expect(events).toContainEqual(expect.objectContaining({ type: 'renewal_failed', reason }))
    if (reason === 'error') {
      const refused = kept.mutation(api.projects.create, { name: 'x' })
      await expect(refused).rejects.toSatisfy((error) => isAuthError(error) && error.cause instanceof Error)
    }
    isBroken = false
    await world.pass(4, source)
    await vi.waitFor(() => expect(state()).toBe('signed-in'), soon)
  })

  it('and are refused by Convex are asked for again, more and more seldom, until one is taken', async () => {
    const world = await start()
    const { source } = world
    source.options = { claims: { aud: 'another' } }
    const { state, events } = world.keep(world.client, source)
    const refusals = () => events.filter(({ type }) => type === 'token_refused').length
    for (let refused = 1; refused <= 5; refused++) {
      await vi.waitFor(() => expect(refusals()).toBe(refused), soon)
      await world.pass(4, source)
    }
    expect(state()).toBe('unavailable')
    // One a second at the most, and less the longer it goes on.
    expect(source.asked.length).toBeLessThanOrEqual(9)
    source.options = {}
    await world.pass(6, source)
    await vi.waitFor(() => expect([state(), world.shown.names]).toEqual(['signed-in', ['alpha']]), soon)
  })
})

it('takes no loading time that is none', async () => {
  const { clerk, as, open } = await clientWorld()
  const { client } = open.ConvexClient()
  const source = pageClerk(clerk, as('ada', 'org_a'))
  for (const loadingMs of [-1, 600_001, Number.NaN]) {
    expect(() => keepAuthenticated(client, { source, loadingMs })).toThrow('"loadingMs" must be 0 to 600000.')
  }
})
