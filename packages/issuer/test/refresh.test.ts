import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { basic, claimsOf, type Service, signInBody, startService, withAda } from './service.ts'

let service: Service
let ada: { clientId: string; userId: string }
beforeEach(async () => {
  service = await startService()
  ada = await withAda(service)
})
afterEach(() => service.close())

async function signedIn(
  fields: Record<string, unknown> = {},
): Promise<{ refresh: string; access: string; sid: string }> {
  const { body } = await service.postJson('/auth/sign-in', signInBody(fields))
  return { refresh: body.refresh_token, access: body.access_token, sid: String(claimsOf(body.access_token).sid) }
}
const refresh = (token: string, fields: Record<string, string> = {}) =>
  service.post('/oauth/token', {
    grant_type: 'refresh_token',
    refresh_token: token,
    client_id: 'countersign-cli',
    ...fields,
  })

async function isActive(token: string): Promise<boolean> {
  const name = `introspector-${Math.random().toString(36).slice(2)}`
  const { secret } = await service.client({ name })
  const { body } = await service.post('/oauth/introspect', { token }, { authorization: basic(name, secret) })
  return body.active
}

describe('a refresh token', () => {
  it('gives a new pair in the same session', async () => {
    const first = await signedIn()
    const second = await refresh(first.refresh)
    expect(second.status).toBe(200)
    expect(second.body.refresh_token).not.toBe(first.refresh)
    expect(claimsOf(second.body.access_token)).toMatchObject({ sub: ada.userId, sid: first.sid, aud: 'agent-api' })
    expect((await refresh(second.body.refresh_token)).status).toBe(200)
    expect(await isActive(first.access)).toBe(true)
    expect(service.audits.map(({ action }) => action)).toContain('session.refresh')
  })

  it('of a session from before the generation of all tokens rose gives nothing, and nothing is recorded', async () => {
    const { refresh: token } = await signedIn()
    const { sessions } = service.stores
    const byRefresh = sessions.byRefresh.bind(sessions)
    // As after a restore of the store.
    Object.assign(sessions, {
      byRefresh: async (hash: string) => {
        const found = await byRefresh(hash)
        return found && { ...found, globalGeneration: 1 }
      },
    })
    const before = service.audits.length
    const { status, body } = await refresh(token)
    expect([status, body.error]).toEqual([400, 'invalid_grant'])
    expect(service.audits).toHaveLength(before)
  })

  it('is stored as its hash only', async () => {
    const { refresh: token, sid } = await signedIn()
    expect(JSON.stringify(await service.stores.sessions.byId(sid))).not.toContain(token.slice(11))
    expect(await service.stores.sessions.byRefresh(token)).toBeUndefined()
  })

  it('that comes a second time ends its session, all its tokens and nothing else', async () => {
    const other = await signedIn()
    const stolen = await signedIn()
    const next = await refresh(stolen.refresh)
    service.clock.pass(30)
    const again = await refresh(stolen.refresh)
    expect([again.status, again.body.error]).toEqual([400, 'invalid_grant'])
    expect((await refresh(next.body.refresh_token)).status).toBe(400)
    expect(await isActive(stolen.access)).toBe(false)
    expect(await isActive(next.body.access_token)).toBe(false)
    expect(await isActive(other.access)).toBe(true)
    expect((await refresh(other.refresh)).status).toBe(200)

    const now = service.clock.now()
    expect(service.events).toContainEqual({
      type: 'refresh_reused',
      sessionId: stolen.sid,
      clientId: ada.clientId,
      presentedBy: ada.clientId,
      firstUsedAt: now - 30,
      usedAgainAt: now,
    })
    const reuse = service.audits.find(({ action }) => action === 'refresh.reuse')
    expect(reuse).toMatchObject({ outcome: 'denied', details: { firstUsedAt: now - 30, usedAgainAt: now } })
  })

  it('gives one and the same successor to 20 at once of its client, and the session survives them', async () => {
    const { refresh: token, sid } = await signedIn()
    const answers = await Promise.all(Array.from({ length: 20 }, () => refresh(token)))
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
    expect(new Set(answers.map(({ body }) => body.refresh_token)).size).toBe(1)
    expect(new Set(answers.map(({ body }) => body.access_token)).size).toBe(20)
    for (const { body } of answers) expect(await isActive(body.access_token)).toBe(true)
    expect((await service.stores.sessions.byId(sid))?.endedAt).toBeNull()
    expect((await refresh(answers[0]?.body.refresh_token)).status).toBe(200)
  })

  it('whose answer was lost gets the same successor again for 10 s, and then ends its session', async () => {
    const { refresh: token, sid } = await signedIn()
    const first = await refresh(token)
    service.clock.pass(9)
    const again = await refresh(token, { scope: 'agents:read' })
    expect([again.status, again.body.refresh_token]).toEqual([200, first.body.refresh_token])
    expect(claimsOf(again.body.access_token)).toMatchObject({ sid, scope: 'agents:read' })
    expect(service.events).toContainEqual({ type: 'refresh_replayed', sessionId: sid, clientId: ada.clientId })
    service.clock.pass(1)
    expect((await refresh(token)).body.error).toBe('invalid_grant')
    expect((await service.stores.sessions.byId(sid))?.endReason).toBe('refresh_reused')
  })

  it('is not given its successor again once that was used', async () => {
    const { refresh: token, sid } = await signedIn()
    const first = await refresh(token)
    const second = await refresh(first.body.refresh_token)
    expect((await refresh(first.body.refresh_token)).body.refresh_token).toBe(second.body.refresh_token)
    expect((await refresh(token)).body.error).toBe('invalid_grant')
    expect((await service.stores.sessions.byId(sid))?.endReason).toBe('refresh_reused')
    expect((await refresh(second.body.refresh_token)).body.error).toBe('invalid_grant')
  })

  it.each([
    ['no salt', 'A'.repeat(80)],
    ['another salt', 'A'.repeat(43)],
  ])('is refused in time too when the store gives %s for it, as a fault of ours', async (_, replayed) => {
    const { refresh: token } = await signedIn()
    await refresh(token)
    Object.assign(service.stores.sessions, { rotate: async () => ({ replayed }) })
    const answer = await refresh(token)
    expect(answer.status).toBe(500)
    expect(answer.text).not.toContain('cs_refresh_')
  })

  it('never makes the same successor twice', async () => {
    const { refresh: token } = await signedIn()
    const made = new Set<string>()
    const { rotate } = service.stores.sessions
    // Each attempt fails at the store, so that the same token is rotated again and again.
    Object.assign(service.stores.sessions, {
      rotate: async (entry: { successor: { hash: string } }) => {
        made.add(entry.successor.hash)
        throw new Error('full')
      },
    })
    for (let attempt = 0; attempt < 5; attempt++) expect((await refresh(token)).status).toBe(500)
    expect(made.size).toBe(5)
    Object.assign(service.stores.sessions, { rotate })
    expect((await refresh(token)).status).toBe(200)
  })

  it('leaves nothing behind that a thief of the database could use', async () => {
    const { refresh: token } = await signedIn()
    const rotated: unknown[] = []
    const { rotate } = service.stores.sessions
    Object.assign(service.stores.sessions, {
      rotate: async (entry: unknown) => {
        rotated.push(entry)
        return rotate(entry as never)
      },
    })
    const { body } = await refresh(token)
    expect(JSON.stringify(rotated)).not.toContain(body.refresh_token.slice(11))
    expect(JSON.stringify(rotated)).not.toContain(token.slice(11))
  })

  it('that somebody else spent between the look and the write ends its session just the same', async () => {
    const { refresh: token, sid } = await signedIn()
    Object.assign(service.stores.sessions, { rotate: async () => 'spent' })
    const answer = await refresh(token)
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_grant'])
    expect((await service.stores.sessions.byId(sid))?.endReason).toBe('refresh_reused')
    expect(service.events.map(({ type }) => type)).toContain('refresh_reused')
  })

  it('of a session that ended between the look and the write is refused', async () => {
    const { refresh: token, sid } = await signedIn()
    Object.assign(service.stores.sessions, { rotate: async () => 'invalid' })
    expect((await refresh(token)).body.error).toBe('invalid_grant')
    expect((await service.stores.sessions.byId(sid))?.endedAt).toBeNull()
  })

  it('is refused to another client, and stays good for its own', async () => {
    await service.client({ name: 'other', type: 'public', grants: ['sign_in', 'refresh_token'] })
    const { refresh: token } = await signedIn()
    const answer = await refresh(token, { client_id: 'other' })
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_grant'])
    expect((await refresh(token)).status).toBe(200)
  })

  it('once spent, ends its session even when another client shows it', async () => {
    await service.client({ name: 'other', type: 'public', grants: ['sign_in', 'refresh_token'] })
    const { refresh: token, sid } = await signedIn()
    await refresh(token)
    await refresh(token, { client_id: 'other' })
    expect((await service.stores.sessions.byId(sid))?.endReason).toBe('refresh_reused')
  })

  it('lets the scope shrink and never grow', async () => {
    const { refresh: token } = await signedIn({ scope: 'agents:read' })
    const grown = await refresh(token, { scope: 'agents:read chat:write' })
    expect([grown.status, grown.body.error]).toEqual([400, 'invalid_scope'])
    const same = await refresh(token, { scope: 'agents:read' })
    expect(same.body.scope).toBe('agents:read')
    const all = await signedIn()
    const less = await refresh(all.refresh, { scope: 'chat:write' })
    expect(less.body.scope).toBe('chat:write')
    // RFC 6749 section 6: the refresh token keeps what was granted.
    expect((await refresh(less.body.refresh_token)).body.scope).toBe('agents:read chat:write')
  })

  it('stays with its audience', async () => {
    const { refresh: token } = await signedIn()
    for (const target of [
      { audience: 'analytics-service' },
      { audience: 'nowhere' },
      { resource: 'https://evil.example' },
    ]) {
      const answer = await refresh(token, target)
      expect([answer.status, answer.body.error]).toEqual([400, 'invalid_target'])
    }
    expect((await refresh(token, { resource: 'https://api.example.com/agents' })).status).toBe(200)
  })

  it.each([
    ['unknown', 'cs_refresh_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'],
    ['without its prefix', 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'],
    ['an access token', 'a.b.c'],
  ])('that is %s is refused', async (_what, token) => {
    const answer = await refresh(token)
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_grant'])
  })

  it('ends unused after 30 days, and used after 90', async () => {
    const day = 86_400
    const idle = await signedIn()
    service.clock.pass(30 * day)
    expect((await refresh(idle.refresh)).status).toBe(400)

    let { refresh: token } = await signedIn()
    for (let used = 0; used < 3; used += 1) {
      service.clock.pass(29 * day)
      const next = await refresh(token)
      expect(next.status).toBe(200)
      token = next.body.refresh_token
    }
    service.clock.pass(3 * day - 60)
    const last = await refresh(token)
    expect([last.status, last.body.expires_in]).toEqual([200, 60])
    service.clock.pass(60)
    expect((await refresh(last.body.refresh_token)).status).toBe(400)
  })

  it.each([
    ['the user is disabled', () => service.issuer.users.disable('ada@example.com')],
    ['the password is changed', () => service.issuer.users.setPassword('ada@example.com', 'another password')],
    ['the operator revokes the session', (sid: string) => service.issuer.sessions.revoke(sid)],
  ])('ends when %s, with the access token', async (_when, change) => {
    const { refresh: token, access, sid } = await signedIn()
    expect(await isActive(access)).toBe(true)
    await change(sid)
    expect((await refresh(token)).body.error).toBe('invalid_grant')
    expect(await isActive(access)).toBe(false)
  })

  it('ends when its client is disabled', async () => {
    const { refresh: token, access } = await signedIn()
    await service.issuer.clients.disable('countersign-cli')
    expect((await refresh(token)).body.error).toBe('invalid_client')
    expect(await isActive(access)).toBe(false)
  })

  it('stays good when the log refuses the record: nothing was spent', async () => {
    const { refresh: token } = await signedIn()
    service.failAudit(new Error('disk full'))
    expect((await refresh(token)).status).toBe(503)
    service.failAudit(undefined)
    expect((await refresh(token)).status).toBe(200)
  })

  it('that is reused ends its session even when the log refuses the record', async () => {
    const { refresh: token, sid } = await signedIn()
    await refresh(token)
    service.clock.pass(10)
    service.failAudit(new Error('disk full'))
    expect((await refresh(token)).status).toBe(503)
    expect((await service.stores.sessions.byId(sid))?.endReason).toBe('refresh_reused')
  })
})
