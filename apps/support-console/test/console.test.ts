import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { claimsOf, password, startTestFleet, type TestFleet } from './fleet.ts'

let fleet: TestFleet
beforeAll(async () => {
  fleet = await startTestFleet()
})
afterAll(() => fleet.close())

const agents = (token: string) => fleet.call(fleet.agentApi, 'GET', '/agents', { token })
const ask = (method: string, path: string, token: string, body?: unknown) =>
  fleet.call(fleet.console, method, path, { token, ...(body === undefined ? {} : { body }) })
const chat = (token: string, message: string) =>
  fleet.call(fleet.agentApi, 'POST', '/chat', { token, body: { message } })
const askForHelp = async (token: string, note = 'It does not load.') => {
  const answer = await fleet.call(fleet.agentApi, 'POST', '/support', { token, body: { note } })
  expect(answer.status, answer.text).toBe(202)
}

describe('an operator', () => {
  it('finds a session, ends it, and sees agent-api acknowledge and refuse', async () => {
    const token = await fleet.signIn('ada', 'agent-api')
    const sid = String(claimsOf(token).sid)
    expect((await agents(token)).status).toBe(200)
    const olga = fleet.visitor()
    expect((await olga.signIn()).status).toBe(303)
    expect((await olga.get('/?q=ada')).text).toContain(sid)
    // By the `sid` of a token as well.
    expect((await olga.get(`/?q=${sid}`)).text).toContain(String(fleet.ids.get('ada')))

    const form = { session: sid, q: 'ada', reason: 'ticket 4711: laptop stolen' }
    const answer = await olga.post('/page/revoke', form)
    expect(answer.status).toBe(303)
    await expect.poll(async () => (await agents(token)).status, { interval: 20 }).toBe(401)
    const where = answer.headers.get('location') ?? ''
    const shown = async () => (await olga.get(where)).text
    const all = 'All 2 consumers that are heard of refuse this session now.'
    await expect.poll(shown, { interval: 50 }).toContain(all)
    expect(await shown()).toMatch(/data-consumer="agent-api".*Acknowledged.*\d\.\d s/)

    const record = (await fleet.audit()).findLast(({ action }) => action === 'session.end')
    expect(record).toMatchObject({
      outcome: 'allowed',
      actor: { type: 'user', id: fleet.ids.get('olga') },
      target: { type: 'session', id: sid },
      reason: 'ticket 4711: laptop stolen',
      details: { user: fleet.ids.get('ada') },
    })
  })

  it('hears the same as a program, live over the page’s events', async () => {
    const token = await fleet.signIn('bob', 'agent-api')
    const operator = await fleet.signIn('olga', 'support-console')
    const found = await ask('GET', '/sessions?user=bob', operator)
    const [{ id }] = found.body.sessions
    const revoked = await ask('POST', `/sessions/${id}/revoke`, operator, { reason: 'INC-7' })
    expect(revoked.status).toBe(202)
    const olga = fleet.visitor()
    await olga.signIn()
    // Ends by itself, with the last that is waited for.
    const { text, headers } = await olga.get(`/page/revocations/${revoked.body.id}/events`)
    expect(headers.get('content-type')).toContain('text/event-stream')
    expect(text).toContain('"consumer":"agent-api","state":"Acknowledged"')
    expect(text).toMatch(/event: done\n/)
    expect((await agents(token)).status).toBe(401)
    const { body } = await ask('GET', `/revocations/${revoked.body.id}`, operator)
    const agentApi = body.consumers.find(({ consumer }: { consumer: string }) => consumer === 'agent-api')
    // How soon is measured elsewhere, on a quiet machine.
    expect(agentApi).toMatchObject({ state: 'acknowledged', instances: 1, after_ms: expect.any(Number) })
  })

  it('sees the keys and who holds them, public parts only', async () => {
    const operator = await fleet.signIn('olga', 'support-console')
    const keys = await ask('GET', '/keys', operator)
    const [ring] = keys.body.rings
    expect(ring.keys).toContainEqual(expect.objectContaining({ kid: ring.active, state: 'active' }))
    expect(keys.text).not.toMatch(/"d"|sealed|private/)
    const { body } = await ask('GET', '/consumers', operator)
    const held = body.acknowledged.find(({ consumer }: { consumer: string }) => consumer === 'agent-api')
    expect(held.kids).toContain(ring.active)
  })

  it('is not who may have everything else: a customer is turned away, and may do nothing with a token either', async () => {
    const ada = fleet.visitor()
    const answer = await ada.signIn('ada')
    expect([answer.status, ada.cookie]).toEqual([403, ''])
    expect(answer.text).toContain('This account is no operator’s')
    const token = await fleet.signIn('ada', 'support-console')
    expect(claimsOf(token).scope).toBe('conversations:read')
    for (const path of ['/sessions?user=bob', '/keys', '/consumers', '/help']) {
      expect((await ask('GET', path, token)).status, path).toBe(403)
    }
  })

  it('signs out for good, and is signed out when their own session is ended', async () => {
    const olga = fleet.visitor()
    await olga.signIn()
    const { cookie } = olga
    expect((await olga.post('/sign-out', {})).status).toBe(303)
    expect(olga.cookie).toBe('')
    olga.cookie = cookie
    expect((await olga.get('/')).text).toContain('Your sign-in has ended.')

    const reader = fleet.visitor()
    await reader.signIn('reader')
    const [open] = await fleet.service.issuer.sessions.list('reader')
    await fleet.service.issuer.sessions.revoke(open?.id ?? '')
    await expect.poll(async () => (await reader.get('/')).text, { interval: 50 }).toContain('Your sign-in has ended.')
    expect(reader.cookie).toBe('')
  })

  it('is out when the scopes are taken away, and when the account is disabled', async () => {
    const { users } = fleet.service.issuer
    await users.add({ identifier: 'otto', password, scopes: ['sessions:read', 'sessions:revoke'] })
    const ends = [
      () => users.setScopes('otto', ['sessions:read']),
      () => users.setScopes('otto', null),
      () => users.disable('otto'),
    ]
    for (const end of ends) {
      await users.setScopes('otto', ['sessions:read', 'sessions:revoke'])
      const otto = fleet.visitor()
      await otto.signIn('otto')
      await end()
      await expect.poll(async () => (await otto.get('/')).text, { interval: 50 }).toContain('Your sign-in has ended.')
      expect(otto.cookie).toBe('')
    }
    expect((await fleet.visitor().signIn('otto')).status).toBe(400)
  })

  it('has no token in what the browser gets, nor in the logs', async () => {
    const olga = fleet.visitor()
    await olga.signIn()
    const { text } = await olga.get('/?q=olga')
    const logs = fleet.lines.join('')
    for (const seen of [text, olga.cookie, logs]) expect(seen).not.toMatch(/eyJ|cs_refresh_|cs_secret_/)
    expect(logs).not.toContain('correct horse')
  })
})

describe('acting for a customer', () => {
  it('is by delegation: in their name, with the operator named, for a reason that is in the audit log', async () => {
    const ada = await fleet.signIn('ada', 'agent-api')
    await chat(ada, 'Hello <b>there</b>')
    await askForHelp(ada, 'Bitte <script>alert(1)</script> helfen')
    const olga = fleet.visitor()
    await olga.signIn()
    const waiting = (await olga.get('/')).text
    expect(waiting).toContain('Bitte &lt;script&gt;alert(1)&lt;/script&gt; helfen')
    const path = /action="(\/page\/help\/[\w-]+)"/.exec(waiting)?.[1] ?? ''
    const shown = await olga.post(path, { reason: 'ticket 4711: chat does not load' })
    expect(shown.status).toBe(200)
    expect(shown.text).toContain('Hello &lt;b&gt;there&lt;/b&gt;')

    const record = (await fleet.audit()).findLast(({ action, details }) => {
      return action === 'token.exchange' && details?.from === 'support-console'
    })
    expect(record).toMatchObject({
      outcome: 'allowed',
      actor: { type: 'user', id: fleet.ids.get('olga') },
      reason: 'ticket 4711: chat does not load',
      details: {
        as: 'delegation',
        audience: 'agent-api',
        scope: 'conversations:read',
        subject: fleet.ids.get('ada'),
        client: fleet.account.id,
        session: claimsOf(ada).sid,
      },
    })
  })

  it('is refused without a reason, here and at the issuer', async () => {
    const ada = await fleet.signIn('ada', 'agent-api')
    await askForHelp(ada)
    const operator = await fleet.signIn('olga', 'support-console')
    const { requests } = (await ask('GET', '/help', operator)).body
    const path = `/help/${requests[0].id}/conversations`
    const exchanges = async () => (await fleet.audit()).filter(({ action }) => action === 'token.exchange').length
    const before = await exchanges()
    expect((await ask('POST', path, operator, {})).status).toBe(400)
    expect((await ask('POST', path, operator, { reason: ' ' })).status).toBe(400)
    const olga = fleet.visitor()
    await olga.signIn()
    const page = await olga.post(`/page/help/${requests[0].id}`, { reason: '' })
    expect([page.status, page.text.includes('expected why')]).toEqual([400, true])
    expect(await exchanges()).toBe(before)
    // Nor could the console, if it wanted to.
    const { id, secret } = fleet.account
    const given = { customersToken: operator, operatorsToken: operator }
    const form = {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: given.customersToken,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      audience: 'agent-api',
    }
    const response = await fetch(`${fleet.issuer}/oauth/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${id}:${secret}`)}` },
      body: new URLSearchParams(form),
    })
    expect(await response.json()).toMatchObject({ error: 'invalid_request' })
  })

  it('gives a token that names both, holds no more, and lives no longer', async () => {
    const ada = await fleet.signIn('ada', 'agent-api')
    const operator = await fleet.signIn('olga', 'support-console')
    const { issuer } = fleet.service
    const type = 'urn:ietf:params:oauth:token-type:access_token'
    const agent = await issuer.clients.rotateSecret('agent-api')
    const as = (clientId: string, secret: string) => ({ method: 'client_secret_basic' as const, clientId, secret })
    const leave = await issuer.exchange({
      client: as('agent-api', agent.secret),
      subjectToken: ada,
      subjectTokenType: type,
      audience: 'support-console',
    })
    expect(leave.scope).toBe('conversations:read')
    const acting = await issuer.exchange({
      client: as(fleet.account.id, fleet.account.secret),
      subjectToken: leave.accessToken,
      subjectTokenType: type,
      actorToken: operator,
      actorTokenType: type,
      audience: 'agent-api',
      reason: 'INC-7',
    })
    const claims = claimsOf(acting.accessToken)
    expect(claims).toMatchObject({
      sub: fleet.ids.get('ada'),
      scope: 'conversations:read',
      sid: claimsOf(ada).sid,
      act: { sub: fleet.ids.get('olga'), client_id: fleet.account.id, act: { sub: agent.client.id } },
    })
    const ends = [leave.accessToken, operator].map((token) => Number(claimsOf(token).exp))
    expect(Number(claims.exp)).toBeLessThanOrEqual(Math.min(...ends))
    const reads = () => fleet.call(fleet.agentApi, 'GET', '/conversations', { token: acting.accessToken })
    expect((await reads()).status).toBe(200)
    const writes = await fleet.call(fleet.agentApi, 'POST', '/chat', {
      token: acting.accessToken,
      body: { message: 'x' },
    })
    expect(writes.status).toBe(403)
    // The operator's end is its end.
    await issuer.sessions.revoke(String(claimsOf(operator).sid))
    await expect.poll(async () => (await reads()).status, { interval: 50 }).toBe(401)
  })

  it('is over as soon as the customer’s session is', async () => {
    const bob = await fleet.signIn('bob', 'agent-api')
    await askForHelp(bob)
    const operator = await fleet.signIn('olga', 'support-console')
    const requests = async () => (await ask('GET', '/help', operator)).text
    expect(await requests()).toContain(String(fleet.ids.get('bob')))
    await fleet.service.issuer.sessions.revoke(String(claimsOf(bob).sid))
    await expect.poll(requests, { interval: 50 }).not.toContain(String(fleet.ids.get('bob')))
  })
})
