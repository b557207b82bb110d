import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { claimsOf, password, type Service, signInBody, startService } from './service.ts'

const origin = 'https://app.example.com'
let service: Service
let clientId: string

async function start(issuerUrl?: string): Promise<void> {
  service = await startService(issuerUrl === undefined ? {} : { issuerUrl, routes: { basePath: '' } })
  const { id } = await service.client({
    name: 'web-app',
    type: 'public',
    grants: ['sign_in', 'refresh_token'],
    audiences: ['web-api'],
    origins: [origin, 'http://localhost:3000'],
  })
  clientId = id
  await service.client({
    name: 'other-app',
    type: 'public',
    grants: ['sign_in', 'refresh_token'],
    audiences: ['web-api'],
    origins: ['https://other.example.com'],
  })
  await service.client({ name: 'cli', type: 'public', grants: ['sign_in', 'refresh_token'], audiences: ['agent-api'] })
  await service.issuer.users.add({ identifier: 'ada@example.com', password })
}
beforeEach(() => start())
afterEach(() => service.close())

const signIn = (headers: Record<string, string> = { origin }, client_id = 'web-app') =>
  service.postJson('/auth/sign-in', signInBody({ client_id }), headers)
const refresh = (headers: Record<string, string>, form: Record<string, string> = {}) =>
  service.post('/oauth/token', { grant_type: 'refresh_token', client_id: 'web-app', ...form }, headers)
const cookieOf = (answer: { headers: Headers }): string => answer.headers.get('set-cookie')?.split(';')[0] ?? ''

describe('a browser client', () => {
  it('gets its refresh token in a cookie that scripts cannot read, never in the body', async () => {
    const answer = await signIn()
    expect(answer.status).toBe(200)
    expect(answer.body).not.toHaveProperty('refresh_token')
    expect(answer.headers.get('set-cookie')).toMatch(
      new RegExp(`^countersign-${clientId}=cs_refresh_[\\w-]{43}; Max-Age=2592000; Path=/; HttpOnly; SameSite=Strict$`),
    )
    expect(answer.headers.get('access-control-allow-origin')).toBe(origin)
    expect(answer.headers.get('access-control-allow-credentials')).toBe('true')
    expect(answer.headers.get('vary')).toContain('Origin')
  })

  it('gets a __Host- cookie over https', async () => {
    await service.close()
    await start('https://auth.example.com')
    const answer = await signIn()
    expect(answer.headers.get('set-cookie')).toMatch(
      new RegExp(`^__Host-countersign-${clientId}=[^;]+; Max-Age=2592000; Path=/; HttpOnly; SameSite=Strict; Secure$`),
    )
    expect((await refresh({ origin, cookie: cookieOf(answer) })).status).toBe(200)
  })

  it('refreshes by the cookie and gets the next one', async () => {
    const first = await signIn()
    const second = await refresh({ origin, cookie: cookieOf(first), 'sec-fetch-site': 'same-site' })
    expect(second.status).toBe(200)
    expect(second.body).not.toHaveProperty('refresh_token')
    expect(cookieOf(second)).not.toBe(cookieOf(first))
    expect((await refresh({ origin, cookie: cookieOf(second) })).status).toBe(200)
  })

  it('loses the cookie when it is no good any more', async () => {
    const first = await signIn()
    await refresh({ origin, cookie: cookieOf(first) })
    service.clock.pass(10)
    const again = await refresh({ origin, cookie: cookieOf(first) })
    expect([again.status, again.body.error]).toEqual([400, 'invalid_grant'])
    expect(again.headers.get('set-cookie')).toContain('Max-Age=0')
    expect(again.headers.get('access-control-allow-origin')).toBe(origin)
  })

  it('asks who is signed in and signs out by the cookie', async () => {
    const cookie = cookieOf(await signIn())
    const status = async (headers: Record<string, string>) =>
      fetch(`${service.url}/auth/status?client_id=web-app`, { headers })
    const seen = await status({ cookie, origin })
    expect(await seen.json()).toMatchObject({ state: 'signed-in', client_id: clientId })
    expect(seen.headers.get('access-control-allow-origin')).toBe(origin)
    expect(await (await status({ cookie })).json()).toMatchObject({ state: 'signed-in' })
    const bare = await fetch(`${service.url}/auth/status`, { headers: { cookie } })
    expect(await bare.json()).toMatchObject({ state: 'signed-in' })

    const out = await service.postJson('/auth/sign-out', { client_id: 'web-app' }, { cookie, origin })
    expect([out.status, out.body]).toEqual([200, { state: 'signed-out' }])
    expect(out.headers.get('set-cookie')).toContain(`countersign-${clientId}=; Max-Age=0`)
    expect(await (await status({ cookie, origin })).json()).toEqual({ state: 'signed-out' })
  })

  type Headers = Record<string, string>
  const strangers: [why: string, headers: Headers][] = [
    ['no origin', {}],
    ['another origin', { origin: 'https://evil.example' }],
    ["another client's origin", { origin: 'https://other.example.com' }],
    ['its origin with a port', { origin: 'https://app.example.com:8443' }],
    ['its origin over http', { origin: 'http://app.example.com' }],
    ['its origin in capitals', { origin: 'https://APP.example.com' }],
    ['its origin as the beginning of another', { origin: 'https://app.example.com.evil.example' }],
    ['the origin null', { origin: 'null' }],
    ['another site, as the browser says', { origin, 'sec-fetch-site': 'cross-site' }],
    ['no site, as the browser says', { origin, 'sec-fetch-site': 'none' }],
  ]
  it.each(strangers)('is refused with %s', async (_why, headers) => {
    const inAnswer = await signIn(headers)
    expect([inAnswer.status, inAnswer.body.error]).toEqual([400, 'unauthorized_client'])
    expect(inAnswer.headers.get('set-cookie')).toBeNull()
    const good = await signIn()
    const cookie = cookieOf(good)
    for (const answer of [
      await refresh({ cookie, ...headers }),
      await service.postJson('/auth/sign-out', { client_id: 'web-app' }, { cookie, ...headers }),
    ]) {
      expect([answer.status, answer.body.error]).toEqual([400, 'unauthorized_client'])
      if (headers.origin !== origin) expect(answer.headers.get('access-control-allow-origin')).toBeNull()
    }
    const session = await service.stores.sessions.byId(String(claimsOf(good.body.access_token).sid))
    expect(session?.endedAt).toBeNull()
  })

  it('cannot move its refresh token out of the cookie, nor a client without a browser into one', async () => {
    const token = cookieOf(await signIn()).split('=')[1] ?? ''
    const inBody = await refresh({ origin }, { refresh_token: token })
    expect([inBody.status, inBody.body.error]).toEqual([400, 'invalid_request'])
    const cli = await signIn({}, 'cli')
    const cliId = String(claimsOf(cli.body.access_token).client_id)
    const cookie = `countersign-${cliId}=${cli.body.refresh_token}`
    const inCookie = await refresh({ cookie }, { client_id: 'cli' })
    expect([inCookie.status, inCookie.body.error]).toEqual([400, 'invalid_request'])
  })

  it('does not mix its cookie with that of another app', async () => {
    const mine = cookieOf(await signIn())
    const theirs = cookieOf(await signIn({ origin: 'https://other.example.com' }, 'other-app'))
    expect((await refresh({ origin, cookie: `${theirs}; ${mine}` })).status).toBe(200)
    expect((await refresh({ origin, cookie: theirs })).body.error).toBe('invalid_request')
    const both = await fetch(`${service.url}/auth/status`, { headers: { cookie: `${theirs}; ${mine}` } })
    expect(await both.json()).toEqual({ state: 'signed-out' })
  })

  it('is refused with the same cookie twice', async () => {
    const cookie = cookieOf(await signIn())
    expect((await refresh({ origin, cookie: `${cookie}; ${cookie}` })).body.error).toBe('invalid_request')
  })
})

describe('CORS', () => {
  const preflight = (path: string, from: string) =>
    fetch(service.url + path, {
      method: 'OPTIONS',
      headers: {
        origin: from,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type',
      },
    })

  it('answers a preflight for a listed origin', async () => {
    for (const path of ['/auth/sign-in', '/auth/sign-out', '/oauth/token', '/oauth/revoke', '/auth/status']) {
      const answer = await preflight(path, origin)
      expect(answer.status).toBe(204)
      expect(answer.headers.get('access-control-allow-origin')).toBe(origin)
      expect(answer.headers.get('access-control-allow-headers')).toContain('content-type')
      expect(answer.headers.get('vary')).toContain('Origin')
    }
  })

  it('gives other origins nothing', async () => {
    for (const from of ['https://evil.example', 'null', 'https://app.example.com.evil.example']) {
      expect((await preflight('/oauth/token', from)).headers.get('access-control-allow-origin')).toBeNull()
    }
    expect((await preflight('/oauth/introspect', origin)).headers.get('access-control-allow-origin')).toBeNull()
    const signedIn = await signIn({ origin: 'https://evil.example' })
    expect(signedIn.headers.get('access-control-allow-origin')).toBeNull()
  })

  it('forgets a disabled client, and learns of a new one, within a second', async () => {
    await preflight('/oauth/token', origin)
    await service.issuer.clients.disable('web-app')
    service.clock.pass(2)
    expect((await preflight('/oauth/token', origin)).headers.get('access-control-allow-origin')).toBeNull()
  })

  it('lets a page of a listed origin read why it was refused', async () => {
    const answer = await service.postJson('/auth/sign-in', signInBody({ client_id: 'web-app', secret: 'x' }), {
      origin,
    })
    expect([answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([400, origin])
  })
})
