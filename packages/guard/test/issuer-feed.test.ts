import { followRevocations, type RevocationEntry } from '@countersign/revocation'
import { type SimulatedFeed, simulateFeed } from '@countersign/revocation/testing'
import { allowInsecureIssuer, type PublicJwk } from '@countersign/tokens'
import { afterEach, describe, expect, it } from 'vitest'
import { createGuard, type Guard, type GuardEvent, type IssuerGuardOptions } from '../src/index.ts'
import { audience, issuer, makeKey, makeToken, NOW, type TestClock, testClock } from './fixtures.ts'
import { settle } from './settle.ts'

const key = await makeKey()
const feedUrl = `${issuer}/revocations`
const stolen: RevocationEntry = { type: 'jti', id: 'stolen', until: NOW + 3_600 }
const ends: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})

interface World {
  readonly clock: TestClock
  readonly feed: SimulatedFeed
  readonly events: GuardEvent[]
  /** What was fetched that is not the feed's. */
  readonly asked: string[]
  /** Of the metadata; without a body it answers 503. */
  metadata: Record<string, unknown> | undefined
  readonly jwks: PublicJwk[]
  guard(options?: Partial<IssuerGuardOptions>): Guard
  /** Presents a token, and lets everybody have their turn while it waits. */
  present(guard: Guard, jti?: string): Promise<string>
  /** Seconds pass, with a head of the feed in each. */
  pass(seconds: number): Promise<void>
}

async function setUp(): Promise<World> {
  const clock = testClock()
  const feed = await simulateFeed(clock, issuer)
  const world: World = {
    clock,
    feed,
    events: [],
    asked: [],
    metadata: { issuer, jwks_uri: `${issuer}/keys`, countersign_revocations_uri: feedUrl },
    jwks: [key.jwk],
    guard(options = {}) {
      const guard = createGuard({
        issuer,
        audience,
        clock,
        jwks: { fetch },
        onEvent: (event) => world.events.push(event),
        ...options,
        feed: { keys: feed.keys, random: () => 0.5, ...options.feed },
      })
      ends.push(() => guard.close())
      return guard
    },
    async present(guard, jti = 'own') {
      const decided = guard.admit({ token: makeToken(key, { jti, exp: NOW + 3_600 }) })
      await settle()
      const decision = await decided
      return decision.admitted ? 'admitted' : decision.code
    },
    async pass(seconds) {
      for (let second = 0; second < seconds; second++) {
        clock.advance(1)
        await feed.beat()
        await settle()
      }
    },
  }
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const url = new URL(String(input))
    if (url.pathname.endsWith('/revocations') || url.pathname.endsWith('/stream') || init?.method === 'POST') {
      return feed.fetch(input, init)
    }
    world.asked.push(url.pathname)
    if (url.pathname === '/keys') return Response.json({ keys: world.jwks })
    return world.metadata === undefined ? new Response('', { status: 503 }) : Response.json(world.metadata)
  }
  return world
}

describe('the feed that an issuer names', () => {
  it('is followed from the first token on, which waits for the first news', async () => {
    const { feed, guard, present, pass, asked, events } = await setUp()
    await feed.revoke(stolen)
    const one = guard()
    expect([asked.length, feed.requests.snapshot]).toEqual([0, 0])
    const together = await Promise.all([present(one), present(one, 'stolen'), present(one, 'other')])
    expect(together).toEqual(['admitted', 'revoked', 'admitted'])
    expect(feed.requests.snapshot).toBe(1)
    expect(asked).toEqual(['/.well-known/oauth-authorization-server', '/keys'])
    expect(events[0]).toStrictEqual({
      type: 'issuer_found',
      issuer,
      jwksUrl: `${issuer}/keys`,
      revocationsUrl: feedUrl,
    })
    // And known tokens are decided on without waiting.
    const token = makeToken(key)
    expect((await one.admit({ token })).admitted).toBe(true)
    expect(one.admitNow?.({ token })).toMatchObject({ admitted: true })
    await feed.revoke({ ...stolen, id: 'other' })
    await settle()
    expect(await present(one, 'other')).toBe('revoked')
    feed.faults.cut = true
    await pass(61)
    expect(await present(one)).toBe('revocations_stale')
    feed.faults.cut = false
    await pass(31)
    expect(await present(one)).toBe('admitted')
  })

  it('ends what is watched, by what it revokes and when it goes stale', async () => {
    const { feed, guard, pass } = await setUp()
    const one = guard()
    const ended: string[] = []
    for (const jti of ['stolen', 'own']) {
      const decided = one.admit({ token: makeToken(key, { jti, exp: NOW + 3_600 }) })
      await settle()
      const decision = await decided
      if (!decision.admitted) throw new Error(decision.code)
      one.watch(decision.principal, ({ reason }) => ended.push(`${jti} ${reason}`))
    }
    await feed.revoke(stolen)
    await settle()
    expect(ended).toEqual(['stolen revoked'])
    feed.faults.cut = true
    await pass(62)
    expect(ended).toEqual(['stolen revoked', 'own stale'])
  })

  it('tells of stolen keys and of their successors', async () => {
    const { feed, guard, present } = await setUp()
    const one = guard()
    expect(await present(one)).toBe('admitted')
    const next = await makeKey()
    await feed.revoke({ type: 'kid', id: key.jwk.kid, successor: next.jwk })
    await settle()
    expect(await present(one)).toBe('unknown_key')
    const decided = one.admit({ token: makeToken(next) })
    await settle()
    expect((await decided).admitted).toBe(true)
  })

  it('makes nobody wait for more than 3 s, and nothing be accepted before its first news', async () => {
    const { feed, guard, clock, present } = await setUp()
    feed.faults.cut = true
    const one = guard()
    const decided = one.admit({ token: makeToken(key) })
    await settle()
    clock.advance(2.9)
    let isDecided = false
    void decided.then(() => {
      isDecided = true
    })
    await settle()
    expect(isDecided).toBe(false)
    clock.advance(0.1)
    await settle()
    expect(await decided).toEqual({ admitted: false, code: 'revocations_stale', retryAfterSeconds: 5 })
    expect(await present(one, 'later')).toBe('revocations_stale')
    const lenient = await one.admit({ token: makeToken(key), availability: 'token-life' })
    expect(lenient).toMatchObject({ code: 'revocations_stale' })
  })

  it('is followed once, also where the observer throws', async () => {
    const { guard, present, feed } = await setUp()
    const fault = new Error('no room in the queue')
    const one = guard({
      onEvent({ type }) {
        if (type === 'issuer_found') throw fault
      },
    })
    const thrown = one.admit({ token: makeToken(key) }).catch((error: unknown) => error)
    await settle()
    expect(await thrown).toBe(fault)
    expect(await present(one)).toBe('admitted')
    expect(feed.requests.snapshot).toBe(1)
  })

  it('is not taken for missing while the metadata cannot be read', async () => {
    const world = await setUp()
    const { guard, present, clock, events } = world
    const { metadata } = world
    world.metadata = undefined
    const one = guard()
    expect(await present(one)).toBe('keys_unavailable')
    expect(events[0]).toMatchObject({ type: 'issuer_failed', issuer, cause: expect.any(Error) })
    world.metadata = metadata
    clock.advance(60)
    expect(await present(one)).toBe('admitted')
    expect(events.map(({ type }) => type)).toEqual(['issuer_failed', 'error', 'issuer_found', 'admitted'])
  })

  const hostile: [what: string, uri: unknown][] = [
    ['of another origin', 'https://evil.example.com/revocations'],
    ["on another port of the issuer's host", 'https://auth.example.com:8443/revocations'],
    ['without TLS', 'http://auth.example.com/revocations'],
    ['within this machine', 'http://127.0.0.1/revocations'],
    ['that is no URL', '/revocations'],
    ['that is no text', 7],
    ['that is null', null],
    ['that is too long', `${feedUrl}/${'x'.repeat(2048)}`],
    ['with credentials', 'https://user:secret@auth.example.com/revocations'],
    ['with a query', `${feedUrl}?x=1`],
    ['that is no feed by its name', `${issuer}/file`],
  ]
  it.each(hostile)('is not looked for at an address %s, and without it nothing is accepted', async (_what, uri) => {
    const world = await setUp()
    world.metadata = { ...world.metadata, countersign_revocations_uri: uri }
    const expected = uri === `${issuer}/file` ? 'revocations_stale' : 'keys_unavailable'
    const decided = world.guard().admit({ token: makeToken(key) })
    await settle()
    world.clock.advance(3)
    await settle()
    expect(await decided).toMatchObject({ code: expected })
    const isElsewhere = typeof uri === 'string' && URL.canParse(uri) && new URL(uri).origin !== issuer
    if (isElsewhere) {
      const message = expect.stringContaining('another origin: if that is right, name it in `feed.url`')
      expect(world.events[0]).toMatchObject({ type: 'issuer_failed', cause: { message } })
    }
    expect(world.feed.requests.snapshot).toBe(0)
  })

  it('may be of another origin where it is named', async () => {
    const world = await setUp()
    world.metadata = { ...world.metadata, countersign_revocations_uri: 'https://evil.example.com/revocations' }
    const urls: string[] = []
    const fetch: typeof globalThis.fetch = (input, init) => {
      urls.push(new URL(String(input)).origin)
      return world.feed.fetch(input, init)
    }
    const one = world.guard({ feed: { url: 'https://cdn.example.com/revocations', fetch } })
    expect(await world.present(one)).toBe('admitted')
    expect(new Set(urls)).toEqual(new Set(['https://cdn.example.com']))
  })

  it('is followed beside a jwksUrl only where it is named', async () => {
    const { guard, present, feed, asked } = await setUp()
    await feed.revoke(stolen)
    const jwksUrl = `${issuer}/keys`
    expect(await present(guard({ jwksUrl }), 'stolen')).toBe('admitted')
    expect(feed.requests.snapshot).toBe(0)
    expect(await present(guard({ jwksUrl, feed: { url: feedUrl } }), 'stolen')).toBe('revoked')
    expect(asked).toEqual(['/keys', '/keys'])
  })

  it('is not followed where revocations are false, wherever it is', async () => {
    const world = await setUp()
    const { guard, present, feed, clock } = world
    world.metadata = { ...world.metadata, countersign_revocations_uri: 'https://evil.example.com/revocations' }
    await feed.revoke(stolen)
    expect(await present(guard({ revocations: false }), 'stolen')).toBe('admitted')
    expect(await present(guard({ revocations: false, jwksUrl: `${issuer}/keys`, feed: { url: feedUrl } }))).toBe(
      'admitted',
    )
    expect(feed.requests.snapshot).toBe(0)
    clock.advance(300)
    expect(await present(guard({ revocations: false }))).toBe('admitted')
  })

  it('gives way to news of your own, which outlive the guard', async () => {
    const { guard, present, feed, clock } = await setUp()
    await feed.revoke(stolen)
    const own = followRevocations(feedUrl, { consumer: audience, keys: feed.keys, fetch: feed.fetch, clock })
    ends.push(() => own.close())
    const one = guard({ revocations: own })
    await settle()
    expect(await present(one, 'stolen')).toBe('revoked')
    expect(feed.requests.snapshot).toBe(1)
    await one.whenReady()
    await one.close()
    await feed.revoke({ ...stolen, id: 'other' })
    await settle()
    expect(own.view.count).toBe(2)
  })

  it('gives way to news that know of nothing but revocations', async () => {
    const { guard, present, feed } = await setUp()
    const one = guard({ revocations: { isRevoked: ({ tokenId }) => tokenId === 'stolen', onChange: () => () => {} } })
    expect([await present(one, 'stolen'), await present(one)]).toEqual(['revoked', 'admitted'])
    await one.whenReady()
    expect(feed.requests.snapshot).toBe(0)
  })

  it('hears by a follower of your own what the guard holds, also before its first token', async () => {
    const { guard, feed, clock, asked, pass } = await setUp()
    const ack = async () => 'a token'
    const own = followRevocations(feedUrl, { consumer: audience, keys: feed.keys, fetch: feed.fetch, clock, ack })
    ends.push(() => own.close())
    guard({ revocations: own })
    await settle()
    await pass(31)
    expect(asked).toContain('/keys')
    expect(feed.acknowledgements.at(-1)?.kids).toEqual([key.jwk.kid])
  })

  it('may be on a closed network without TLS, where that is said', async () => {
    const clock = testClock()
    const plain = 'http://auth.test:4600'
    const feed = await simulateFeed(clock, plain)
    await feed.revoke(stolen)
    const fetch: typeof globalThis.fetch = async (input, init) => {
      const { pathname } = new URL(String(input))
      if (pathname === '/keys') return Response.json({ keys: [key.jwk] })
      if (pathname === '/revocations/jwks.json') return Response.json({ keys: [feed.keys.get('feed-1')] })
      if (pathname.startsWith('/revocations')) return feed.fetch(input, init)
      return Response.json({
        issuer: plain,
        jwks_uri: `${plain}/keys`,
        countersign_revocations_uri: `${plain}/revocations`,
      })
    }
    const options = { issuer: plain, audience, clock, verify: { [allowInsecureIssuer]: true } as const }
    expect(() => createGuard({ ...options, jwks: { fetch } })).toThrow(
      expect.objectContaining({ code: 'insecure_url' }),
    )
    const one = createGuard({ ...options, jwks: { fetch, [allowInsecureIssuer]: true } })
    ends.push(() => one.close())
    const decided = one.admit({ token: makeToken(key, { iss: plain, jti: 'stolen' }) })
    await settle()
    expect(await decided).toMatchObject({ code: 'revoked' })
  })

  it('hears what this consumer holds, where it can get a token', async () => {
    const { guard, feed, pass } = await setUp()
    const one = guard({ feed: { keys: feed.keys, ack: async () => 'a token', instance: 'pod-1' } })
    const ready = one.whenReady()
    await settle()
    await ready
    await pass(31)
    expect(feed.acknowledgements.at(-1)).toMatchObject({ consumer: audience, instance: 'pod-1', kids: [key.jwk.kid] })
  })
})

describe('before the first token', () => {
  it('nothing is known, so nothing is permitted and whoever is watched ends', async () => {
    const { guard } = await setUp()
    const admitting = guard()
    const decided = admitting.admit({ token: makeToken(key) })
    await settle()
    const decision = await decided
    if (!decision.admitted) throw new Error(decision.code)
    const { principal } = decision
    const other = guard()
    const ended: string[] = []
    expect([admitting.permits(principal, []), other.permits(principal, [])]).toEqual([true, false])
    other.watch(principal, ({ reason }) => ended.push(reason))
    await settle()
    expect(ended).toEqual(['stale'])
    const ready = other.whenReady()
    await settle()
    await ready
    expect(other.permits(principal, [])).toBe(true)
  })
})

describe('an issuer without a feed', () => {
  it('is believed, and the guard says that it follows none', async () => {
    const world = await setUp()
    world.metadata = { issuer, jwks_uri: `${issuer}/keys` }
    const one = world.guard()
    expect(await world.present(one)).toBe('admitted')
    expect(world.events[0]).toStrictEqual({ type: 'issuer_found', issuer, jwksUrl: `${issuer}/keys` })
    world.clock.advance(300)
    expect(await world.present(one)).toBe('admitted')
    await one.whenReady()
  })
})

describe('whenReady', () => {
  it('has keys and news in memory, so that the first token waits for nothing', async () => {
    const { guard, feed, asked, present } = await setUp()
    const one = guard()
    const ready = Promise.all([one.whenReady(), one.whenReady()])
    await settle()
    await ready
    expect([asked.length, feed.requests.snapshot]).toEqual([2, 1])
    expect(await present(one)).toBe('admitted')
    expect([asked.length, feed.requests.snapshot]).toEqual([2, 1])
  })

  it('tries until it succeeds, however often tokens were refused meanwhile', async () => {
    const world = await setUp()
    const { metadata } = world
    world.metadata = undefined
    world.feed.faults.cut = true
    const one = world.guard()
    let isReady = false
    void one.whenReady().then(() => {
      isReady = true
    })
    await settle()
    for (let index = 0; index < 5; index++) expect(await world.present(one)).toBe('keys_unavailable')
    await world.pass(30)
    // 1, 2, 4, 8, 16 s after one another, and the two of tokens.
    const tries = world.events.filter(({ type }) => type === 'issuer_failed').length
    expect(tries).toBe(7)
    world.metadata = metadata
    world.jwks.length = 0
    await world.pass(30)
    expect([isReady, world.asked.includes('/keys')]).toEqual([false, true])
    world.jwks.push(key.jwk)
    await world.pass(30)
    expect(isReady).toBe(false)
    world.feed.faults.cut = false
    await world.pass(31)
    expect(isReady).toBe(true)
    expect(await world.present(one)).toBe('admitted')
  })

  it('is ready at once with a verifier of your own, or when your news are there', async () => {
    const verifier = { verify: () => Promise.reject(new Error('never asked')) }
    await createGuard({ verifier }).whenReady()
    await createGuard({ verifier, revocations: false }).whenReady()
    await createGuard({ verifier, revocations: { isRevoked: () => false, onChange: () => () => {} } }).whenReady()
    let tell = (): void => {}
    const told = new Promise<void>((resolve) => {
      tell = resolve
    })
    const revocations = { isRevoked: () => false, onChange: () => () => {}, whenReady: () => told }
    let isReady = false
    const ready = createGuard({ verifier, revocations })
      .whenReady()
      .then(() => {
        isReady = true
      })
    await settle()
    expect(isReady).toBe(false)
    tell()
    await ready
  })
})

describe('closing the guard', () => {
  it('ends the follower that it started, with its timers', async () => {
    const { guard, present, clock, feed } = await setUp()
    const one = guard()
    await present(one)
    expect(clock.timers).toBeGreaterThan(0)
    await one.close()
    expect(clock.timers).toBe(0)
    const before = { ...feed.requests }
    clock.advance(120)
    await settle()
    expect(feed.requests).toEqual(before)
  })

  it('ends the wait for the first news', async () => {
    const { guard, clock, feed, events } = await setUp()
    feed.faults.cut = true
    const one = guard()
    const decided = one.admit({ token: makeToken(key) })
    await settle()
    await one.close()
    await settle()
    expect(await decided).toMatchObject({ admitted: false, code: 'keys_unavailable' })
    expect(clock.timers).toBe(0)
    expect(events.map(({ type }) => type)).toEqual(['error'])
  })

  it.each([true, false])(
    'ends the search for the issuer, and starts nothing after, if it hears of it: %s',
    async (hears) => {
      const world = await setUp()
      let answer = (_response: Response): void => {}
      let fetched = 0
      const fetch: typeof globalThis.fetch = (_input, init) =>
        new Promise((resolve, reject) => {
          fetched++
          answer = resolve
          if (hears) init?.signal?.addEventListener('abort', () => reject(new Error('aborted')))
        })
      const one = world.guard({ jwks: { fetch } })
      const decided = one.admit({ token: makeToken(key) })
      void one.whenReady()
      await settle()
      await one.close()
      answer(Response.json(world.metadata))
      await settle()
      expect(await decided).toMatchObject({ code: 'keys_unavailable' })
      world.clock.advance(300)
      await settle()
      let isReady = false
      void one.whenReady().then(() => {
        isReady = true
      })
      await settle()
      expect([world.clock.timers, world.feed.requests.snapshot, fetched, isReady]).toEqual([0, 0, 1, false])
      expect(world.events.map(({ type }) => type)).toEqual(['error'])
    },
  )
})

it('stops the start on wrong limits, whether or not there is metadata to read first', async () => {
  for (const jwksUrl of [undefined, `${issuer}/keys`]) {
    const options = { issuer, audience, jwks: { timeoutMs: 1 }, ...(jwksUrl === undefined ? {} : { jwksUrl }) }
    expect(() => createGuard(options)).toThrow(/timeoutMs/)
  }
})

it('stops the start on a feed that could not be followed, unless it would not be', () => {
  const error = expect.objectContaining({ name: 'RevocationError', code: 'bad_option' })
  const wrong = [
    { url: 'http://auth.example.com/revocations' },
    { url: '/revocations' },
    { limits: { requestTimeoutMs: 1 } },
    { freshness: { staleSeconds: 61 } },
  ]
  for (const feed of wrong) {
    expect(() => createGuard({ issuer, audience, feed })).toThrow(error)
    expect(() => createGuard({ issuer, audience, feed, revocations: false })).not.toThrow()
  }
})
