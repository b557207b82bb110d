import { describeRoutes, testIssuer } from '@countersign-apps/kit/testing'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { consumer } from '../src/scopes.ts'
import { session, standIn, Visitor } from './fixtures.ts'

const issuer = await testIssuer(consumer)
const stand = standIn(issuer)
beforeAll(() => stand.start())
afterAll(() => stand.close())

let made = 0
/** A session of its own for each call: one can be ended once. */
function another(): string {
  made += 1
  const id = `session-${made}-of-many`
  stand.sessions.set(id, session(id))
  return id
}
const because = { reason: 'ticket 4711' }
const asOperator = () => issuer.token({ sub: 'user_olga', scope: 'sessions:revoke sessions:read help:answer' })
async function revoked(): Promise<string> {
  const path = `/sessions/${another()}/revoke`
  return (await stand.served().call('POST', path, { token: asOperator(), body: because })).body.id
}
async function asked(sub = 'user_ada'): Promise<string> {
  const token = issuer.token({ sub, scope: 'conversations:read' })
  return (await stand.served().call('POST', '/help', { token, body: { note: 'help' } })).body.id
}

describe('every route', () => {
  describeRoutes(
    {
      consumer,
      routes: stand.console.routes,
      served: stand.served,
      token: issuer.token,
      samples: {
        'GET /whoami': async () => ({}),
        'GET /sessions': async () => ({ path: '/sessions?user=ada' }),
        'POST /sessions/:id/revoke': async () => ({ path: `/sessions/${another()}/revoke`, body: because }),
        'GET /revocations/:id': async () => ({ path: `/revocations/${await revoked()}` }),
        'GET /keys': async () => ({}),
        'GET /consumers': async () => ({}),
        'POST /help': async () => ({ body: {} }),
        'GET /help': async () => ({}),
        'POST /help/:id/conversations': async () => ({
          path: `/help/${await asked()}/conversations`,
          body: because,
        }),
      },
      open: [
        'GET /healthz',
        ...stand.console.pages.map(({ method, path }) => `${method} ${path}`),
        'GET /assets/style.css',
        'GET /assets/icon.svg',
        'GET /assets/main.js',
      ],
    },
    { describe, it },
  )
})

describe('every part of the page', () => {
  const guarded = stand.console.pages.filter(({ access }) => access !== 'anybody')
  it('but sign-in and sign-out wants somebody who is signed in', () => {
    expect(stand.console.pages.filter(({ access }) => access === 'anybody').map(({ path }) => path)).toEqual([
      '/sign-in',
      '/sign-out',
    ])
  })
  it.each(guarded)('$method $path', async ({ method, path, access }) => {
    const concrete = path.replace(':id', await revoked())
    const form = { session: another(), ...because }
    const ask = (visitor: Visitor) => (method === 'GET' ? visitor.get(concrete) : visitor.post(concrete, form))
    const status = concrete === '/' ? 200 : 403
    const before = stand.calls.length
    for (const cookie of ['', `support-console=${'x'.repeat(43)}`, 'support-console=<script>']) {
      const nobody = new Visitor(stand.served().origin)
      nobody.cookie = cookie
      const answer = await ask(nobody)
      expect(answer.status, cookie).toBe(status)
      expect(answer.text).toContain('<h2>Sign in</h2>')
      expect(answer.text).not.toContain('session-ada-1')
    }
    stand.scope = access === 'sessions:read' ? 'keys:read help:answer' : 'sessions:read keys:read'
    const without = new Visitor(stand.served().origin)
    await without.signIn()
    stand.scope = 'sessions:read sessions:revoke keys:read help:answer'
    if (access !== 'operator') {
      const answer = await ask(without)
      expect(answer.status).toBe(403)
      expect(answer.text).toContain('Your account may not do this.')
    }
    expect(stand.calls.slice(before).filter((call) => Array.isArray(call) && call[0] === 'revoke')).toEqual([])
  })
})

describe('ending a session', () => {
  it('carries who and why, and tells who has acknowledged it', async () => {
    const id = another()
    const held = { consumer: 'agent-api', instance: 'one', kids: [], at: 1 }
    stand.acknowledgements = [{ ...held, position: { epoch: 1, seq: 6 } }]
    const { call } = stand.served()
    const answer = await call('POST', `/sessions/${id}/revoke`, { token: asOperator(), body: because })
    expect(answer.status).toBe(202)
    expect(stand.calls.at(-1)).toEqual([
      'revoke',
      id,
      { actor: { type: 'user', id: 'user_olga' }, reason: 'ticket 4711' },
    ])
    expect(answer.body).toMatchObject({ session: id, user: 'user_ada', operator: 'user_olga', complete: false })
    expect(answer.body.consumers).toEqual([
      { consumer: 'agent-api', state: 'waiting', instances: 1, after_ms: null },
      { consumer: 'billing-worker', state: 'silent', instances: 0, after_ms: null },
    ])
    stand.acknowledgements = [
      { ...held, position: { epoch: 1, seq: 7 } },
      { ...held, instance: 'two', position: { epoch: 1, seq: 6 } },
    ]
    const look = async () =>
      (await call('GET', `/revocations/${answer.body.id}`, { token: asOperator() })).body.consumers[0]
    expect(await look()).toMatchObject({ state: 'waiting', instances: 2 })
    stand.acknowledgements = stand.acknowledgements.map((one) => ({ ...one, position: { epoch: 2, seq: 1 } }))
    expect(await look()).toMatchObject({ state: 'acknowledged', instances: 2, after_ms: expect.any(Number) })
  })

  it.each([
    ['none', {}],
    ['an empty one', { reason: '' }],
    ['blanks', { reason: '   ' }],
    ['a long one', { reason: 'x'.repeat(201) }],
    ['two lines', { reason: 'one\nline' }],
    ['hidden characters', { reason: 'a\u202eb' }],
    ['no text', { reason: 4711 }],
    ['an actor', { ...because, actor: 'somebody else' }],
  ])('is refused with %s for a reason', async (_what, body) => {
    const id = another()
    const answer = await stand.served().call('POST', `/sessions/${id}/revoke`, { token: asOperator(), body })
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request'])
    expect(stand.sessions.get(id)?.endedAt).toBeNull()
  })

  it('that is unknown or has ended answers 404 and 409', async () => {
    const revoke = (id: string) =>
      stand.served().call('POST', `/sessions/${id}/revoke`, { token: asOperator(), body: because })
    expect((await revoke('session-unknown')).status).toBe(404)
    expect((await revoke('%3Cscript%3E')).status).toBe(404)
    const id = another()
    await revoke(id)
    expect((await revoke(id)).status).toBe(409)
  })
})

describe('asking for help', () => {
  it('keeps one request for each customer, and never shows their token', async () => {
    const token = issuer.token({ sub: 'user_bob', scope: 'conversations:read' })
    const { call } = stand.served()
    await call('POST', '/help', { token, body: { note: 'first' } })
    await call('POST', '/help', { token, body: { note: 'second' } })
    const { text, body } = await call('GET', '/help', { token: asOperator() })
    const own = body.requests.filter(({ subject }: { subject: string }) => subject === 'user_bob')
    expect(own).toMatchObject([{ note: 'second', expires_at: expect.any(Number) }])
    expect(text).not.toContain(token)
    expect((await call('POST', '/help', { token, body: { note: 'x'.repeat(501) } })).status).toBe(400)
  })

  it('is for customers: a monitor’s token does not put anything before operators', async () => {
    const { call } = stand.served()
    const token = issuer.token({ sub: 'user_probe', scope: 'conversations:read', synthetic: true })
    const answer = await call('POST', '/help', { token, body: {} })
    expect([answer.status, answer.body.error]).toEqual([403, 'forbidden'])
    expect((await call('GET', '/help', { token: asOperator() })).text).not.toContain('user_probe')
  })

  it('wants a reason of whoever answers, and is over with the customer’s token', async () => {
    const { call } = stand.served()
    const path = `/help/${await asked('user_eve')}/conversations`
    expect((await call('POST', path, { token: asOperator(), body: {} })).status).toBe(400)
    const ending = issuer.token({ sub: 'user_late', scope: 'conversations:read' })
    const { id } = (await call('POST', '/help', { token: ending, body: {} })).body
    const answer = () => call('POST', `/help/${id}/conversations`, { token: asOperator(), body: because })
    expect((await answer()).status).toBe(200)
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 600_000 })
    onTestFinished(() => void vi.useRealTimers())
    expect((await answer()).status).toBe(404)
  })
})
