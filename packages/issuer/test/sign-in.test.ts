import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { basic, claimsOf, jsonOf, password, type Service, signInBody, startService, withAda } from './service.ts'

// Counts the work instead of timing it: every refused sign-in must cost one verification of the same parameters.
const verified = vi.hoisted(() => [] as string[])
vi.mock('@node-rs/argon2', async (original) => {
  const real = await original<typeof import('@node-rs/argon2')>()
  return {
    ...real,
    verify: (hash: string, text: string) => {
      verified.push(hash)
      return real.verify(hash, text)
    },
  }
})

let service: Service
let ada: { clientId: string; userId: string }
beforeAll(async () => {
  service = await startService({ limits: { failuresPerMinute: 1000 } })
  ada = await withAda(service)
  await service.client({
    name: 'two-audiences',
    type: 'public',
    grants: ['sign_in'],
    audiences: ['agent-api', 'short-lived'],
  })
  await service.client({
    name: 'kiosk',
    type: 'public',
    grants: ['sign_in', 'refresh_token'],
    audiences: ['short-lived'],
  })
  await service.client({ name: 'etl' })
  await service.client({ name: 'off', type: 'public', grants: ['sign_in'] })
  await service.issuer.clients.disable('off')
})
afterAll(() => service.close())
beforeEach(() => {
  verified.length = 0
  service.events.length = 0
})

describe('first-party sign-in', () => {
  it('answers as the token endpoint does, with a session and a refresh token', async () => {
    const answer = await service.postJson('/auth/sign-in', signInBody())
    expect(answer.status).toBe(200)
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.headers.get('set-cookie')).toBeNull()
    expect(answer.body).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 600,
      scope: 'agents:read chat:write',
      refresh_token: expect.stringMatching(/^cs_refresh_[A-Za-z0-9_-]{43}$/),
    })
    const claims = claimsOf(answer.body.access_token)
    expect(claims).toMatchObject({ sub: ada.userId, client_id: ada.clientId, aud: 'agent-api', gen: [0, 0, 0] })
    expect(ada.userId).toMatch(/^user_/)
    expect(JSON.stringify(claims)).not.toContain('ada')
    expect(await service.stores.sessions.byId(String(claims.sid))).toMatchObject({
      userId: ada.userId,
      scope: 'agents:read chat:write',
      endedAt: null,
    })
    expect(service.audits.slice(-2).map(({ action }) => action)).toEqual(['session.open', 'token.issue'])
  })

  it.each([
    ['in other case', 'ADA@example.com'],
    ['in full-width letters', 'ａｄａ@example.com'],
    ['with spaces around it', '  ada@example.com '],
  ])('knows the identifier %s', async (_how, identifier) => {
    expect((await service.postJson('/auth/sign-in', signInBody({ identifier }))).status).toBe(200)
  })

  it('asks for an audience where the client may use several, and gives no refresh token where there is none', async () => {
    const client_id = 'two-audiences'
    expect((await service.postJson('/auth/sign-in', signInBody({ client_id }))).body.error).toBe('invalid_target')
    const named = await service.postJson('/auth/sign-in', signInBody({ client_id, audience: 'agent-api' }))
    expect([named.status, named.body.refresh_token]).toEqual([200, undefined])
    const kiosk = await service.postJson('/auth/sign-in', signInBody({ client_id: 'kiosk' }))
    expect([kiosk.status, kiosk.body.refresh_token]).toEqual([200, undefined])
  })

  it.each<[why: string, fields: Record<string, unknown>, status: number, error: string]>([
    ['an unknown client', { client_id: 'nobody' }, 401, 'invalid_client'],
    ['a disabled client', { client_id: 'off' }, 401, 'invalid_client'],
    ['a confidential client without its secret', { client_id: 'etl' }, 401, 'invalid_client'],
    ['an unknown audience', { audience: 'nowhere' }, 400, 'invalid_target'],
    ['an audience not its own', { audience: 'web-api' }, 400, 'invalid_target'],
    ['an unknown scope', { scope: 'admin' }, 400, 'invalid_scope'],
    ['a missing secret', { secret: undefined }, 400, 'invalid_request'],
    ['an empty secret', { secret: '' }, 400, 'invalid_request'],
    ['a secret that is no string', { secret: { $ne: '' } }, 400, 'invalid_request'],
    ['an identifier that is a list', { identifier: ['ada@example.com'] }, 400, 'invalid_request'],
    ['a missing client id', { client_id: undefined }, 400, 'invalid_request'],
    ['a client id that is a number', { client_id: 1 }, 400, 'invalid_request'],
  ])('refuses %s without hashing anything', async (_why, fields, status, error) => {
    const answer = await service.postJson('/auth/sign-in', signInBody(fields))
    expect([answer.status, answer.body.error]).toEqual([status, error])
    expect(verified).toEqual([])
  })

  it.each<[how: string, twice: string]>([
    ['twice', '"identifier":"mallory@example.com"'],
    ['twice in two spellings', '"\\u0069dentifier" : "mallory@example.com"'],
    ['twice behind a string with quotes', '"x":"\\"}{\\\\","identifier":"mallory@example.com"'],
  ])('refuses a member that is there %s', async (_how, twice) => {
    const whole = JSON.stringify(signInBody())
    const post = async (body: string): Promise<[number, unknown]> => {
      const headers = { 'content-type': 'application/json' }
      const response = await fetch(`${service.url}/auth/sign-in`, { method: 'POST', headers, body })
      return [response.status, (await jsonOf(response)).error]
    }
    expect(await post(`{${twice},${whole.slice(1)}`)).toEqual([400, 'invalid_request'])
    expect(verified).toEqual([])
    expect(await post(`{"x":[{"a":1},{"a":2}],"a":{"x":1},${whole.slice(1)}`)).toEqual([200, undefined])
  })

  it('refuses a client that is not first-party', async () => {
    const etl = await service.client({ name: 'etl-2' })
    const answer = await service.postJson('/auth/sign-in', signInBody({ client_id: 'etl-2' }), {
      authorization: basic('etl-2', etl.secret),
    })
    expect([answer.status, answer.body.error]).toEqual([400, 'unauthorized_client'])
  })

  it('lets a confidential first-party client sign people in with its own secret', async () => {
    const { secret } = await service.client({ name: 'web-server', grants: ['sign_in'] })
    const good = await service.postJson('/auth/sign-in', signInBody({ client_id: 'web-server' }), {
      authorization: basic('web-server', secret),
    })
    expect(good.status).toBe(200)
  })

  it.each([
    ['a form', 'application/x-www-form-urlencoded', 'identifier=ada%40example.com&secret=x&client_id=countersign-cli'],
    ['text, which a page may send unasked', 'text/plain', JSON.stringify(signInBody())],
  ])('refuses %s', async (_what, type, body) => {
    const response = await fetch(`${service.url}/auth/sign-in`, {
      method: 'POST',
      headers: { 'content-type': type },
      body,
    })
    expect([response.status, (await jsonOf(response)).error]).toEqual([400, 'unauthorized_client'])
  })

  it.each([
    ['JSON that is cut off', '{"identifier":'],
    ['a JSON list', '[]'],
    ['JSON null', 'null'],
    ['nothing', ''],
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0xff, 0x7d])],
  ])('refuses %s', async (_what, body) => {
    const response = await fetch(`${service.url}/auth/sign-in`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    })
    expect([response.status, (await jsonOf(response)).error]).toEqual([400, 'invalid_request'])
  })
})

describe('a user with scopes of their own', () => {
  const signIn = (scope?: string, secret = password) =>
    service.postJson('/auth/sign-in', { ...signInBody(), identifier: 'reader', secret, ...(scope && { scope }) })

  it('gets no more than those, and all tokens end when they change', async () => {
    const { users } = service.issuer
    const added = await users.add({
      identifier: 'reader',
      password,
      scopes: ['agents:read', 'agents:read', 'jobs:run'],
    })
    expect(added.scopes).toEqual(['agents:read', 'jobs:run'])
    const first = await signIn()
    expect([first.status, first.body.scope]).toEqual([200, 'agents:read'])
    expect((await signIn('agents:read')).body.scope).toBe('agents:read')
    expect(await signIn('chat:write')).toMatchObject({ status: 400, body: { error: 'invalid_scope' } })
    expect(await signIn('agents:read chat:write')).toMatchObject({ status: 400, body: { error: 'invalid_scope' } })
    // Who has not shown the password learns nothing of scopes.
    expect(await signIn('chat:write', 'wrong')).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })

    await users.setScopes('Reader', [])
    const refresh = { grant_type: 'refresh_token', refresh_token: first.body.refresh_token, client_id: ada.clientId }
    expect((await service.post('/oauth/token', refresh)).status).toBe(400)
    expect((await signIn()).body.scope).toBe('')
    await users.setScopes('reader', null)
    expect((await signIn()).body.scope).toBe('agents:read chat:write')
    expect(service.audits.filter(({ action }) => action === 'user.set_scopes')).toMatchObject([
      { outcome: 'allowed', details: { scope: '' } },
      { outcome: 'allowed', details: { scope: '*' } },
    ])
  })

  it('has only scopes that there are', async () => {
    const { users } = service.issuer
    const refused = { code: 'invalid_option', message: /"agents:rule"/u }
    await expect(users.add({ identifier: 'x', password, scopes: ['agents:rule'] })).rejects.toMatchObject(refused)
    await expect(users.setScopes('reader', ['agents:rule'])).rejects.toMatchObject(refused)
    await expect(users.setScopes('nobody', null)).rejects.toMatchObject({ code: 'unknown_user' })
  })
})

describe('a refused sign-in', () => {
  const attempts: [why: string, reason: string, fields: Record<string, unknown>][] = [
    ['an unknown user', 'unknown_user', { identifier: 'nobody@example.com' }],
    ['an impossible identifier', 'unknown_user', { identifier: 'a\u202eb' }],
    ['a wrong password', 'wrong_password', { secret: 'wrong password' }],
    ['a password that is too long', 'wrong_password', { secret: 'x'.repeat(2000) }],
    ['half a character', 'wrong_password', { secret: `${password}\ud800` }],
    ['a disabled user', 'user_disabled', { identifier: 'gone@example.com' }],
  ]

  it('says the same and does the same work whatever was wrong', async () => {
    await service.issuer.users.add({ identifier: 'gone@example.com', password })
    await service.issuer.users.disable('gone@example.com')
    const answers = new Set<string>()
    for (const [why, reason, fields] of attempts) {
      verified.length = 0
      service.events.length = 0
      const { status, text } = await service.postJson('/auth/sign-in', signInBody(fields))
      expect([why, status]).toEqual([why, 400])
      answers.add(text)
      expect(verified, why).toHaveLength(1)
      expect(verified[0], why).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
      expect(service.events[0], why).toMatchObject({ type: 'sign_in_failed', reason })
    }
    expect([...answers].map((text) => JSON.parse(text).error)).toEqual(['invalid_grant'])
    expect(JSON.stringify(service.events)).not.toMatch(/nobody|gone|wrong password/)
  })
})

describe('a password', () => {
  it.each<[what: string, password: string]>([
    ['of 64 characters', 'a'.repeat(64)],
    ['of 1,024 characters', 'ж'.repeat(1024)],
    ['of 8 emoji', '🔑'.repeat(8)],
    ['with spaces around it', '  eight  characters  '],
  ])('%s works, and nothing of it is cut off', async (what, long) => {
    const identifier = `${what.replaceAll(/[^a-z0-9]/g, '')}@example.com`
    await service.issuer.users.add({ identifier, password: long })
    expect((await service.postJson('/auth/sign-in', signInBody({ identifier, secret: long }))).status).toBe(200)
    const shorter = [...long].slice(0, -1).join('')
    expect((await service.postJson('/auth/sign-in', signInBody({ identifier, secret: shorter }))).status).toBe(400)
  })

  it('is the same composed and decomposed', async () => {
    await service.issuer.users.add({ identifier: 'zoe', password: 'Zoe\u0308 Zoe\u0308 Zoe\u0308' })
    const answer = await service.postJson('/auth/sign-in', signInBody({ identifier: 'zoe', secret: 'Zoë Zoë Zoë' }))
    expect(answer.status).toBe(200)
  })

  it.each([
    ['7 characters', 'seven77'],
    ['1,025 characters', 'a'.repeat(1025)],
    ['half a character', `long enough ${'\ud800'}`],
  ])('of %s is refused when it is set', async (_what, weak) => {
    await expect(service.issuer.users.add({ identifier: 'weak', password: weak })).rejects.toMatchObject({
      code: 'weak_password',
    })
    await expect(service.issuer.users.setPassword('ada@example.com', weak)).rejects.toMatchObject({
      code: 'weak_password',
    })
  })

  it('is hashed again when the parameters have grown, without ending anything', async () => {
    const stronger = await startService({ stores: service.stores, limits: { passwordMemoryKiB: 20_480 } })
    const before = await service.stores.users.byIdentifier('ada@example.com')
    expect((await stronger.postJson('/auth/sign-in', signInBody())).status).toBe(200)
    const after = await service.stores.users.byIdentifier('ada@example.com')
    expect(before?.passwordHash).toContain('m=19456')
    expect(after?.passwordHash).toContain('m=20480')
    expect(after?.generation).toBe(before?.generation)
    expect(stronger.events.map(({ type }) => type)).toContain('password_rehashed')
    expect((await service.postJson('/auth/sign-in', signInBody())).status).toBe(200)
    await stronger.close()
  })
})

describe('a change while the password is being checked', () => {
  it.each([
    ['the user is disabled', (one: Service) => one.issuer.users.disable('ada@example.com')],
    ['the password is changed', (one: Service) => one.issuer.users.setPassword('ada@example.com', 'another password')],
    ['the client is disabled', (one: Service) => one.issuer.clients.disable('countersign-cli')],
  ])('leaves no session behind when %s', async (_what, change) => {
    const own = await startService()
    await withAda(own)
    const byIdentifier = own.stores.users.byIdentifier.bind(own.stores.users)
    let changed: Promise<void> | undefined
    Object.assign(own.stores.users, {
      async byIdentifier(identifier: string) {
        const found = await byIdentifier(identifier)
        if (changed === undefined) {
          changed = Promise.resolve()
          await change(own)
        }
        return found
      },
    })
    const answer = await own.postJson('/auth/sign-in', signInBody())
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_grant'])
    const user = await byIdentifier('ada@example.com')
    const sessions = await own.stores.sessions.ofUser(user?.id ?? '', { limit: 10 })
    expect(sessions.filter(({ endedAt }) => endedAt === null)).toEqual([])
    expect(own.audits.at(-1)).toMatchObject({ action: 'session.open', outcome: 'denied' })
    await own.close()
  })
})
