import { expressAuth } from '@countersign/express'
import { createGuard } from '@countersign/guard'
import { testClock } from '@countersign-tooling/clock'
import express from 'express'
import { beforeAll, expect, it } from 'vitest'
import { authStatus, webhookRevocations } from '../src/server/index.ts'
import { atEnd, type ClerkWorld, clerkWorld } from './clerk-world.ts'

let world: ClerkWorld
let origin: string
beforeAll(async () => {
  world = await clerkWorld()
  const { client } = world
  const verifier = world.verifier({
    scopes: (claims) => claims.organization?.permissions ?? [],
    machines: { kinds: ['api_key'], client },
  })
  const guard = createGuard({ verifier })
  const auth = expressAuth(guard)
  const app = express()
  app.get('/runs', auth.requireScope('org:runs:read'), (req, res) => {
    const { subject, organization } = auth.principal(req)
    res.json({ subject, organization })
  })
  app.post('/payouts', auth.requireScope('org:billing:pay'), (_req, res) => res.json({}))
  const status = authStatus({ verifier, role: () => 'admin' })
  app.get('/auth/status', async (req, res) => {
    const { authorization } = req.headers
    const headers: HeadersInit = authorization === undefined ? {} : { authorization }
    res.json(await status(new Request('http://127.0.0.1/auth/status', { headers })))
  })
  const server = app.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  atEnd(() => server.close())
  atEnd(() => guard.close())
  origin = `http://127.0.0.1:${(server.address() as { port: number }).port}`
})

async function ask(path: string, token?: string, method = 'GET') {
  const headers: HeadersInit = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const response = await fetch(origin + path, { method, headers })
  return [response.status, await response.json(), response.headers.get('www-authenticate')]
}

it('takes no scope with a space in it: it would be two', async () => {
  const { clerk, sessionId } = world
  const verifier = world.verifier({ keys: clerk.jwks, scopes: () => ['notes:mine admin'] })
  await expect(verifier.verify(clerk.token(sessionId))).rejects.toMatchObject({ code: 'bad_claims' })
})

it('lets a Clerk session through a guard in Express, in its organisation and with its permissions', async () => {
  const { clerk, sessionId, userId, organizationId } = world
  const token = clerk.token(sessionId)
  const good = [200, { subject: userId, organization: organizationId }, null]
  expect(await ask('/runs', token)).toEqual(good)
  const before = clerk.requests.length
  expect(await ask('/runs', token)).toEqual(good)
  expect(clerk.requests).toHaveLength(before)
  expect((await ask('/payouts', token, 'POST'))[0]).toBe(403)
  expect((await ask('/runs', clerk.token(sessionId, { organization: false })))[0]).toBe(403)
})

it('turns away what is not one', async () => {
  const { clerk, sessionId } = world
  expect(await ask('/runs')).toEqual([401, expect.anything(), 'Bearer scope="org:runs:read"'])
  for (const token of [
    clerk.token(sessionId, { claims: { sts: 'pending' } }),
    clerk.token(sessionId, { claims: { iss: 'https://evil.example' } }),
    clerk.token(sessionId, { origin: 'https://evil.example' }),
    clerk.token(sessionId, { lifeSeconds: -60, claims: {} }),
    'ak_unknown',
  ]) {
    const [status, , challenge] = await ask('/runs', token)
    expect([status, challenge]).toEqual([401, expect.stringContaining('error="invalid_token"')])
  }
})

it('lets an API key through with its scopes', async () => {
  const { client, userId } = world
  const { secret } = await client.apiKeys.create({ name: 'ci', subject: userId, scopes: ['org:runs:read'] })
  expect((await ask('/runs', secret))[0]).toBe(200)
  expect((await ask('/payouts', secret, 'POST'))[0]).toBe(403)
})

it('answers 503 while nobody can say', async () => {
  const { clerk } = world
  clerk.setOutage('unavailable')
  expect((await ask('/runs', 'ak_another'))[0]).toBe(503)
  clerk.setOutage(undefined)
})

it('says who is signed in, and never 401', async () => {
  const { clerk, sessionId, userId, organizationId } = world
  const token = clerk.token(sessionId)
  const { exp } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
  expect(await ask('/auth/status', token)).toEqual([
    200,
    {
      state: 'signed-in',
      provider: 'clerk',
      subject: userId,
      org: organizationId,
      role: 'admin',
      expires_at: exp,
      phase: 'sealed',
    },
    null,
  ])
  const signedOut = [200, { state: 'signed-out', phase: 'sealed' }, null]
  for (const token of [undefined, 'nonsense', clerk.token(sessionId, { claims: { sts: 'pending' } })]) {
    expect(await ask('/auth/status', token)).toEqual(signedOut)
  }
})

it('status: degraded while Clerk is down, unavailable when that leaves nothing to decide by, then well again', async () => {
  const clock = testClock()
  const own = await clerkWorld({ clock })
  const { clerk, sessionId } = own
  const verifier = own.verifier()
  const status = authStatus({ verifier, phase: () => 'canary', provider: () => 'clerk' })
  const ask = async () => {
    const headers = { authorization: `Bearer ${clerk.token(sessionId)}` }
    return (await status(new Request('http://127.0.0.1/', { headers }))).state
  }
  clerk.setOutage('drop')
  expect(await ask()).toBe('unavailable')
  clerk.setOutage(undefined)
  await clock.pass(60)
  expect(await ask()).toBe('signed-in')
  clerk.setOutage('drop')
  await clock.pass(300)
  await expect.poll(ask).toBe('degraded')
  clerk.setOutage(undefined)
  await clock.pass(60)
  await expect.poll(ask).toBe('signed-in')
})

it('status: who is revoked is signed out, before the token ends', async () => {
  const { clerk, sessionId } = world
  const revocations = webhookRevocations()
  const verifier = world.verifier({ keys: clerk.jwks })
  const status = authStatus({ verifier, revocations, role: () => 'admin' })
  const request = () =>
    new Request('http://127.0.0.1/', { headers: { authorization: `Bearer ${clerk.token(sessionId)}` } })
  expect((await status(request())).state).toBe('signed-in')
  const event = { type: 'session.ended', data: { id: sessionId }, object: 'event', timestamp: Date.now() }
  revocations.note(event as never)
  expect(await status(request())).toEqual({ state: 'signed-out', phase: 'sealed' })
})

it('status: a fault of our own stays a fault', async () => {
  const verifier = { verify: () => Promise.reject(new TypeError('bug')) }
  const request = new Request('http://127.0.0.1/', { headers: { authorization: 'Bearer token' } })
  await expect(authStatus({ verifier })(request)).rejects.toThrow(TypeError)
})
