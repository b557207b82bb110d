import { type PublicJwk, rfc9068 } from '@countersign/tokens'
import { afterEach, describe, expect, it } from 'vitest'
import { createGuard, type Guard, type GuardEvent, type GuardOptions } from '../src/index.ts'
import { audience, makeKey, makeToken, type TestKey, testClock } from './fixtures.ts'
import { type Answer, type StandInIssuer, startIssuer } from './stand-in-issuer.ts'

const oauth = '/.well-known/oauth-authorization-server'
const openid = '/.well-known/openid-configuration'
const key = await makeKey()
const ends: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})

interface World {
  readonly issuer: StandInIssuer
  readonly clock: ReturnType<typeof testClock>
  guard(options?: Partial<GuardOptions>, path?: string): Guard
  token(change?: object, by?: TestKey): string
}

async function setUp(keys: PublicJwk[] = [key.jwk]): Promise<World> {
  const issuer = await startIssuer(keys)
  ends.push(() => issuer.close())
  const clock = testClock()
  return {
    issuer,
    clock,
    guard(options = {}, path = '') {
      const guard = createGuard({ issuer: `${issuer.origin}${path}`, audience, clock, ...options })
      ends.push(() => guard.close())
      return guard
    },
    token: (change = {}, by = key) => makeToken(by, { iss: issuer.origin, ...change }),
  }
}

const metadata = (issuer: StandInIssuer, change: object = {}): Answer => ({
  body: { issuer: issuer.origin, jwks_uri: `${issuer.origin}/keys`, ...change },
})

describe('keys by metadata', () => {
  it('come from the jwks_uri, and are asked for once for many tokens', async () => {
    const { issuer, guard, token } = await setUp()
    issuer.answer(oauth, metadata(issuer))
    const one = guard()
    const decisions = await Promise.all(Array.from({ length: 20 }, () => one.admit({ token: token() })))
    expect(decisions.map((one) => (one.admitted ? 'admitted' : one.code))).toEqual(Array(20).fill('admitted'))
    expect(issuer.asked).toEqual([oauth, '/keys'])
  })

  it('ask for nothing before the first token', async () => {
    const { issuer, guard } = await setUp()
    await guard().admit({ token: undefined })
    await guard().admit({ token: 'x' })
    expect(issuer.asked).toEqual([])
  })

  it('come from OpenID Connect Discovery where RFC 8414 is not answered', async () => {
    const { issuer, guard, token } = await setUp()
    issuer.answer(openid, metadata(issuer))
    expect((await guard().admit({ token: token() })).admitted).toBe(true)
    expect(issuer.asked).toEqual([oauth, openid, '/keys'])
  })

  it('are looked for where an issuer with a path has them', async () => {
    const { issuer, guard, token } = await setUp()
    const iss = `${issuer.origin}/realms/x`
    issuer.answer(`/realms/x${openid}`, metadata(issuer, { issuer: iss }))
    expect((await guard({}, '/realms/x').admit({ token: token({ iss }) })).admitted).toBe(true)
    expect(issuer.asked).toEqual([`${oauth}/realms/x`, `/realms/x${openid}`, '/keys'])
  })

  it('are looked for without a second slash, and the issuer is compared with it', async () => {
    const { issuer, guard, token } = await setUp()
    issuer.answer(oauth, metadata(issuer, { issuer: `${issuer.origin}/` }))
    expect((await guard({}, '/').admit({ token: token({ iss: `${issuer.origin}/` }) })).admitted).toBe(true)
    expect(await guard().admit({ token: token() })).toMatchObject({ code: 'keys_unavailable' })
  })

  const unusable: [what: string, answer: (issuer: StandInIssuer) => Answer][] = [
    [
      'of another issuer',
      () => ({ body: { issuer: 'https://evil.example.com', jwks_uri: 'https://evil.example.com/k' } }),
    ],
    ['without jwks_uri', (issuer) => ({ body: { issuer: issuer.origin } })],
    ['that is no JSON', () => ({ body: '<html>' })],
    ['that is null', () => ({ body: null })],
    ['with a jwks_uri that is no URL', (issuer) => metadata(issuer, { jwks_uri: '/keys' })],
    ['with a jwks_uri on http elsewhere', (issuer) => metadata(issuer, { jwks_uri: 'http://evil.example.com/keys' })],
    [
      'with a jwks_uri in a private network',
      (issuer) => metadata(issuer, { jwks_uri: 'https://169.254.169.254/keys' }),
    ],
    ['above 64 KiB', (issuer) => metadata(issuer, { padding: 'x'.repeat(70_000) })],
    ['behind a redirect', () => ({ status: 302, headers: { location: '/elsewhere' } })],
    ['behind a fault', () => ({ status: 500 })],
    ['that never comes', () => ({ hang: true })],
  ]
  it.each(unusable)('are unavailable for metadata %s', async (_what, answer) => {
    const { issuer, guard, token, clock } = await setUp()
    issuer.answer(oauth, answer(issuer))
    issuer.answer('/elsewhere', metadata(issuer))
    const decision = guard({ jwks: { timeoutMs: 100 } }).admit({ token: token() })
    await expect.poll(() => issuer.asked).toHaveLength(1)
    clock.advance(answer(issuer).hang === true ? 0.1 : 0)
    expect(await decision).toEqual({ admitted: false, code: 'keys_unavailable', retryAfterSeconds: 5 })
    expect(issuer.asked).toEqual([oauth])
  })

  it('are asked for again after a fault, but not by every token', async () => {
    const { issuer, guard, token, clock } = await setUp()
    issuer.answer(oauth, { status: 503 })
    const one = guard()
    for (let index = 0; index < 50; index += 1) {
      expect(await one.admit({ token: token() })).toMatchObject({ code: 'keys_unavailable' })
    }
    expect(issuer.asked).toHaveLength(2)
    issuer.answer(oauth, metadata(issuer))
    clock.advance(30)
    expect((await one.admit({ token: token() })).admitted).toBe(true)
    expect(issuer.asked).toEqual([oauth, oauth, oauth, '/keys'])
  })

  it('are asked for once each 30 s, not sooner', async () => {
    const { issuer, guard, token, clock } = await setUp()
    issuer.answer(oauth, { status: 503 })
    const one = guard()
    const asked: number[] = []
    for (const seconds of [0, 0, 0, 29, 1.1, 1, 28, 2, 90, 0, 0]) {
      clock.advance(seconds)
      await one.admit({ token: token() })
      asked.push(issuer.asked.length)
    }
    expect(asked).toEqual([1, 2, 2, 2, 3, 3, 3, 4, 5, 6, 6])
  })

  it.each([400, 401, 404, 410, 499])('are looked for elsewhere after a %d, which is a no', async (status) => {
    const { issuer, guard, token } = await setUp()
    issuer.answer(oauth, { status })
    issuer.answer(openid, metadata(issuer))
    expect((await guard().admit({ token: token() })).admitted).toBe(true)
  })

  it.each([408, 425, 429, 500, 503, 204])(
    'are not looked for elsewhere after a %d, which is no answer',
    async (status) => {
      const { issuer, guard, token } = await setUp()
      issuer.answer(oauth, { status })
      issuer.answer(openid, metadata(issuer))
      expect(await guard().admit({ token: token() })).toMatchObject({ code: 'keys_unavailable' })
      expect(issuer.asked).toEqual([oauth])
    },
  )

  it('are not to be had from an issuer that answers no everywhere', async () => {
    const { issuer, guard, token } = await setUp()
    const causes: unknown[] = []
    const one = guard({ onEvent: (event) => 'cause' in event && causes.push(event.cause) })
    expect(await one.admit({ token: token() })).toMatchObject({ code: 'keys_unavailable' })
    expect(issuer.asked).toEqual([oauth, openid])
    const message = expect.stringMatching(
      /^There is no metadata at http.*oauth-authorization-server and http.*`jwksUrl`/,
    )
    expect(causes).toMatchObject([{ message }, { message }])
  })

  const told: [what: string, answer: (issuer: StandInIssuer) => Answer, cause: RegExp][] = [
    [
      'of another issuer',
      () => ({ body: { issuer: 'https://a.example', jwks_uri: 'https://a.example' } }),
      /names the issuer "https:\/\/a\.example", not "http:.*byte for byte/,
    ],
    ['that is no JSON', () => ({ body: '<html>' }), /is no metadata of an issuer: it needs "issuer" and "jwks_uri"/],
    ['behind a fault', () => ({ status: 502 }), /could not be read \(502\)/],
    ['that is too large', (issuer) => metadata(issuer, { x: 'x'.repeat(70_000) }), /could not be read \(too_large\)/],
  ]
  it.each(told)('are missed aloud, with the cause, for metadata %s', async (_what, answer, cause) => {
    const { issuer, guard, token } = await setUp()
    issuer.answer(oauth, answer(issuer))
    const events: GuardEvent[] = []
    const one = guard({ onEvent: (event) => events.push(event) })
    for (let index = 0; index < 3; index++) await one.admit({ token: token() })
    const failed = { type: 'issuer_failed', issuer: issuer.origin, cause: expect.any(Error) }
    const refused = { type: 'error', code: 'keys_unavailable', cause: expect.any(Error) }
    expect(events).toMatchObject([failed, refused, failed, refused, { type: 'error', code: 'keys_unavailable' }])
    expect(events[0]).toMatchObject({ cause: { message: expect.stringMatching(cause) } })
    expect(events[1]).toMatchObject({ cause: { message: expect.stringMatching(cause) } })
    // Without a try of its own, since those are limited: what is wrong is still the same.
    expect(events[4]).toMatchObject({ cause: { message: expect.stringMatching(cause) } })
  })

  it('are not on loopback for an issuer that is elsewhere', async () => {
    const issuer = 'https://auth.example.com'
    const body = JSON.stringify({ issuer, jwks_uri: 'http://127.0.0.1:9/keys' })
    const fetched: string[] = []
    const { guard } = await setUp()
    const answer = async (url: unknown) => {
      fetched.push(String(url))
      return new Response(body)
    }
    const causes: unknown[] = []
    const onEvent = (event: GuardEvent): void => void ('cause' in event && causes.push(event.cause))
    const decision = await guard({ issuer, jwks: { fetch: answer }, onEvent }).admit({ token: makeToken(key) })
    expect(decision).toMatchObject({ code: 'keys_unavailable' })
    expect(causes[0]).toEqual(new Error('The metadata leads from https to http.'))
    expect(fetched).toEqual([issuer + oauth])
  })
})

describe('jwksUrl', () => {
  it('saves the metadata', async () => {
    const { issuer, guard, token } = await setUp()
    const one = guard({ jwksUrl: `${issuer.origin}/keys` })
    expect((await one.admit({ token: token() })).admitted).toBe(true)
    expect(issuer.asked).toEqual(['/keys'])
  })

  it('is named, with what is wrong, to whoever reads that its keys cannot be had', async () => {
    const { issuer, guard, token } = await setUp()
    issuer.answer('/gone', { status: 404 })
    const events: GuardEvent[] = []
    await guard({ jwksUrl: `${issuer.origin}/gone`, onEvent: (event) => events.push(event) }).admit({ token: token() })
    expect(events.at(-1)).toMatchObject({
      type: 'error',
      code: 'keys_unavailable',
      cause: { message: `${issuer.origin}/gone: status 404` },
    })
  })

  it('is told of, and needs no token for what is known', async () => {
    const { issuer, guard, token, clock } = await setUp()
    const events: GuardEvent[] = []
    const jwksUrl = `${issuer.origin}/keys`
    const decision = await guard({ jwksUrl, onEvent: (event) => events.push(event) }).admit({ token: token() })
    expect(events[0]).toStrictEqual({ type: 'issuer_found', issuer: issuer.origin, jwksUrl })
    if (!decision.admitted) throw new Error(decision.code)
    // No feed is looked for, so there is nothing to wait for.
    expect(guard({ jwksUrl }).permits(decision.principal, [])).toBe(true)
    expect(clock.now()).toBeLessThan(decision.principal.expiresAt)
  })

  it('takes the limits of the reader', async () => {
    const { issuer, guard } = await setUp()
    expect(() => guard({ jwksUrl: `${issuer.origin}/keys`, jwks: { timeoutMs: 1 } })).toThrow(/timeoutMs/)
  })
})

describe('a consumer', () => {
  const consumer = { audience, scopes: { 'agents:read': {} }, accessTokenLifeSeconds: 300, algorithm: 'EdDSA' as const }

  it('says how long a token may live', async () => {
    const { issuer, guard, token } = await setUp()
    const one = guard({ jwksUrl: `${issuer.origin}/keys`, consumer })
    const iat = testClock().now()
    expect((await one.admit({ token: token({ exp: iat + 300 }) })).admitted).toBe(true)
    expect(await one.admit({ token: token({ exp: iat + 301 }) })).toMatchObject({ code: 'bad_claims' })
  })

  it('says which algorithm its tokens are signed with', async () => {
    const es256 = await makeKey('ES256')
    const { issuer, guard, token } = await setUp([key.jwk, es256.jwk])
    const jwksUrl = `${issuer.origin}/keys`
    const exp = testClock().now() + 300
    const ed = guard({ jwksUrl, consumer })
    const es = guard({ jwksUrl, consumer: { ...consumer, algorithm: 'ES256' as const } })
    expect((await ed.admit({ token: token({ exp }) })).admitted).toBe(true)
    expect((await es.admit({ token: token({ exp }, es256) })).admitted).toBe(true)
    expect(await ed.admit({ token: token({ exp }, es256) })).toMatchObject({ code: 'unsupported_alg' })
    expect(await es.admit({ token: token({ exp }) })).toMatchObject({ code: 'unsupported_alg' })
  })

  it('leaves both to a profile of a foreign issuer', async () => {
    const es256 = await makeKey('ES256')
    const { issuer, guard, token } = await setUp([es256.jwk])
    const verify = { profile: { ...rfc9068, name: 'foreign', algorithms: ['ES256'] as const } }
    const one = guard({ jwksUrl: `${issuer.origin}/keys`, consumer, verify })
    expect((await one.admit({ token: token({ exp: testClock().now() + 600 }, es256) })).admitted).toBe(true)
  })

  it('forgives the clock difference that the guard was told', async () => {
    const { issuer, guard, token, clock } = await setUp()
    const jwksUrl = `${issuer.origin}/keys`
    const late = token({ exp: clock.now() + 10 })
    clock.jump(13)
    expect((await guard({ jwksUrl }).admit({ token: late })).admitted).toBe(true)
    expect(await guard({ jwksUrl, verify: { clockToleranceSeconds: 2 } }).admit({ token: late })).toMatchObject({
      code: 'expired',
    })
  })
})

it('leaves no timer behind', async () => {
  const { issuer, guard, token, clock } = await setUp()
  issuer.answer(oauth, metadata(issuer))
  const one = guard()
  await one.admit({ token: token() })
  expect(clock.timers).toBeGreaterThan(0)
  await one.close()
  expect(clock.timers).toBe(0)
})
