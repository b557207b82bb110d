import { defineConsumers } from '@countersign/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isIssuerError } from '../src/index.ts'
import { basic, claimsOf, type Service, startService } from './service.ts'

const matrix = defineConsumers({ tool: { scopes: ['admin', 'service'], obtainedBy: 'sign-in' } })
const first = 'mV6!rT9#pL2@xQ8$'
const second = 'zN4?kB7%hW3&dF5='
const own = 'http://127.0.0.1:4620'
const shared = { password: first, name: 'tool', audience: 'tool', defaultScope: 'service', origins: [own] }

let service: Service
beforeEach(async () => {
  service = await startService({ matrix, feed: true })
  expect(await service.issuer.useSharedPassword(shared)).toBe('first')
})
afterEach(() => service.close())

const signIn = (body: object = {}, headers: Record<string, string> = {}) =>
  service.postJson('/auth/sign-in', { password: first, ...body }, headers)
const state = async (token: string) => {
  const response = await fetch(`${service.url}/auth/status`, { headers: { authorization: `Bearer ${token}` } })
  return ((await response.json()) as { state: string }).state
}

describe('sign-in with a shared password', () => {
  it('gives a token without refresh, for the scope that is asked for or the default one', async () => {
    const plain = await signIn()
    expect(plain.body).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 600,
      scope: 'service',
    })
    expect(plain.headers.get('set-cookie')).toBeNull()
    expect(claimsOf(plain.body.access_token)).toMatchObject({ aud: 'tool', scope: 'service', gen: [0, 0, 0] })
    expect((await signIn({ scope: 'admin service' })).body.scope).toBe('admin service')
    expect(await state(plain.body.access_token)).toBe('signed-in')
  })

  it.each<[why: string, body: object, headers: Record<string, string>, status: number, error: string]>([
    ['a wrong password', { password: second }, {}, 400, 'invalid_grant'],
    ['one that only begins like it', { password: `${first}x` }, {}, 400, 'invalid_grant'],
    ['an empty password', { password: '' }, {}, 400, 'invalid_request'],
    ['a password that is no string', { password: [first] }, {}, 400, 'invalid_request'],
    ['a scope that there is not', { scope: 'root' }, {}, 400, 'invalid_scope'],
    ['a member that is not known', { identifier: 'tool' }, {}, 400, 'invalid_request'],
    ["another site's page", {}, { origin: 'https://evil.example' }, 400, 'unauthorized_client'],
    ["a page of another port's", {}, { origin: 'http://127.0.0.1:4621' }, 400, 'unauthorized_client'],
    ['a page without an origin of its own', {}, { origin: 'null' }, 400, 'unauthorized_client'],
    ['a second credential', {}, { authorization: basic('tool', first) }, 400, 'invalid_request'],
    ['a form', {}, { 'content-type': 'application/x-www-form-urlencoded' }, 400, 'unauthorized_client'],
  ])('refuses %s', async (_why, body, headers, status, error) => {
    const answer = await signIn(body, headers)
    expect([answer.status, answer.body.error]).toEqual([status, error])
    expect(answer.text).not.toContain(first)
  })

  it('takes its own page', async () => {
    expect((await signIn({}, { origin: own })).status).toBe(200)
  })

  it('takes every spelling of the same characters, as passwords of people', async () => {
    await service.issuer.useSharedPassword({ ...shared, password: 'ﬁne-Ångström-49!xQ' })
    expect((await signIn({ password: 'fine-Ångström-49!xQ'.normalize('NFD') })).status).toBe(200)
  })

  it('is not there before a password was given', async () => {
    const bare = await startService({ matrix })
    const answer = await bare.postJson('/auth/sign-in', { password: first })
    expect([answer.status, answer.body.error]).toEqual([400, 'unauthorized_client'])
    await bare.close()
  })

  it('lets nobody in by another door: the client has no secret, the user no other client', async () => {
    const answers = await Promise.all([
      service.postJson('/auth/sign-in', { identifier: 'tool', secret: first, client_id: 'tool' }),
      service.postJson(
        '/auth/sign-in',
        { identifier: 'tool', secret: first, client_id: 'tool' },
        { authorization: basic('tool', first) },
      ),
      service.post('/oauth/token', { grant_type: 'client_credentials' }, { authorization: basic('tool', first) }),
    ])
    expect(answers.map(({ status, body }) => [status, body.error])).toEqual([
      [401, 'invalid_client'],
      [401, 'invalid_client'],
      [401, 'invalid_client'],
    ])
  })

  it('is throttled: the fifth failure within a minute holds back even the right one', async () => {
    for (let count = 0; count < 5; count += 1) await signIn({ password: second })
    const blocked = await signIn()
    expect([blocked.status, blocked.body.error]).toEqual([429, 'rate_limited'])
    expect(Number(blocked.headers.get('retry-after'))).toBeGreaterThan(50)
    service.clock.pass(61)
    expect((await signIn()).status).toBe(200)
  })

  it('tells what happened without the password, and records it', async () => {
    await signIn({ password: second })
    await signIn()
    expect(service.events).toContainEqual(
      expect.objectContaining({ type: 'sign_in_failed', reason: 'wrong_password', address: '127.0.0.1' }),
    )
    expect(service.audits.map(({ action }) => action)).toEqual([
      'client.add',
      'user.add',
      'session.open',
      'token.issue',
    ])
    expect(JSON.stringify([service.events, service.audits])).not.toMatch(/mV6!rT9|zN4\?kB7/)
  })

  it('gives nothing that cannot be recorded', async () => {
    service.failAudit(new Error('full'))
    expect((await signIn()).status).toBe(503)
  })
})

describe('the next start', () => {
  it('with the same password keeps every session', async () => {
    const { access_token } = (await signIn()).body
    expect(await service.issuer.useSharedPassword(shared)).toBe('same')
    expect(await state(access_token)).toBe('signed-in')
  })

  it('with another password ends every token of before, also for a guard beside it, and keeps the old password out', async () => {
    const { access_token } = (await signIn()).body
    const feed = service.issuer.feed
    await feed?.started
    expect(await service.issuer.useSharedPassword({ ...shared, password: second })).toBe('changed')
    expect(await state(access_token)).toBe('signed-out')
    const { sub, client_id, sid, jti, gen } = claimsOf(access_token)
    const principal = { subject: sub, clientId: client_id, session: sid, tokenId: jti, generations: gen, ancestors: [] }
    expect(feed?.revocations.isRevoked(principal as never)).toBe(true)
    expect((await signIn()).body.error).toBe('invalid_grant')
    const fresh = await signIn({ password: second })
    expect(claimsOf(fresh.body.access_token).gen).toEqual([0, 0, 1])
    expect(service.audits.map(({ action }) => action)).toContain('user.set_password')
  })

  it('of another process with another password shuts this one out', async () => {
    const other = await startService({ matrix, stores: service.stores })
    await other.issuer.useSharedPassword({ ...shared, password: second })
    expect((await signIn()).body.error).toBe('invalid_grant')
    expect(service.events).toContainEqual(expect.objectContaining({ reason: 'changed_meanwhile' }))
    await other.close()
  })

  it('is refused once the operator has disabled it', async () => {
    await service.issuer.users.disable('tool')
    expect((await signIn()).body.error).toBe('invalid_grant')
    await expect(service.issuer.useSharedPassword(shared)).rejects.toMatchObject({ code: 'already_disabled' })
  })
})

describe('what cannot be a shared password', () => {
  it.each<[why: string, change: object, code: string]>([
    ['a weak one', { password: 'password12345678' }, 'weak_password'],
    ['a name that is none', { name: 'two words' }, 'invalid_name'],
    ['an audience that there is not', { name: 'other', audience: 'nowhere' }, 'invalid_option'],
    ['a default scope that there is not', { defaultScope: 'root' }, 'invalid_scope'],
  ])('%s', async (_why, change, code) => {
    const refused = await service.issuer.useSharedPassword({ ...shared, ...change }).catch((error: unknown) => error)
    expect(isIssuerError(refused) && refused.code).toBe(code)
    expect(String(refused)).not.toContain('password12345678')
  })

  it('the name of a person or of a client that others hold a secret of', async () => {
    await service.issuer.users.add({ identifier: 'ada', password: 'a password of ada' })
    await service.issuer.clients.add({ name: 'web', grants: ['sign_in'], audiences: ['tool'] })
    for (const name of ['ada', 'web']) {
      await expect(service.issuer.useSharedPassword({ ...shared, name })).rejects.toMatchObject({ code: 'name_taken' })
    }
  })
})

describe('long tokens', () => {
  it('need a ring whose overlap was raised for them', async () => {
    const long = defineConsumers({
      tool: { scopes: ['admin', 'service'], obtainedBy: 'sign-in', accessTokenLifeSeconds: 604_800 },
    })
    await expect(startService({ matrix: long, lifeSeconds: 604_800 })).rejects.toThrow(/maxOverlapSeconds/)
    const raised = await startService({ matrix: long, lifeSeconds: 604_800, maxOverlapSeconds: 608_400 })
    await raised.issuer.useSharedPassword(shared)
    const { body } = await raised.postJson('/auth/sign-in', { password: first })
    expect(body.expires_in).toBe(604_800)
    raised.clock.pass(604_799)
    const introspection = await raised.issuer.introspectToken(body.access_token)
    expect(introspection.active).toBe(true)
    raised.clock.pass(1)
    expect(await raised.issuer.introspectToken(body.access_token)).toEqual({ active: false })
    await raised.close()
  })
})
