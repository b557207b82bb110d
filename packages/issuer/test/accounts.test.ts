import { createHash } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  createIssuer,
  IssuerError,
  type IssuerOptions,
  isIssuerError,
  issuerErrorCodes,
  type NewClient,
  remedies,
} from '../src/index.ts'
import { memoryIssuerStores } from '../src/testing.ts'
import { consumers, password, type Service, startService } from './service.ts'

let service: Service
beforeEach(async () => {
  service = await startService()
})
afterEach(() => service.close())

const tokenWith = (clientId: string, secret: string) =>
  service.issuer.clientCredentials({ client: { method: 'client_secret_post', clientId, secret } })

describe('users', () => {
  it('are added once under any spelling, and listed without their hash', async () => {
    const { users } = service.issuer
    const ada = await users.add({ identifier: ' Ada@Example.com ', password })
    expect(ada).toEqual({
      id: expect.stringMatching(/^user_/),
      identifier: 'ada@example.com',
      synthetic: false,
      scopes: null,
      createdAt: service.clock.now(),
      disabledAt: null,
    })
    await expect(users.add({ identifier: 'ＡDA@example.com', password })).rejects.toMatchObject({ code: 'name_taken' })
    await users.add({ identifier: 'bob', password })
    expect((await users.list()).map(({ identifier }) => identifier)).toEqual(['ada@example.com', 'bob'])
    expect((await users.list({ after: 'ada@example.com', limit: 1 })).map(({ identifier }) => identifier)).toEqual([
      'bob',
    ])
    expect(JSON.stringify(await users.list())).not.toContain('argon2')
  })

  it.each([
    ['nothing', ''],
    ['spaces', '   '],
    ['a space inside', 'ada lovelace'],
    ['a bidirectional override', 'ada\u202e'],
    ['a zero-width joiner', 'a\u200dda'],
    ['a control character', 'ada\u0000'],
    ['half a character', 'ada\ud800'],
    ['255 characters', 'a'.repeat(255)],
  ])('are not added under %s', async (_what, identifier) => {
    await expect(service.issuer.users.add({ identifier, password })).rejects.toMatchObject({ code: 'invalid_name' })
  })

  it('are disabled once, and unknown ones are said to be', async () => {
    const { users } = service.issuer
    await users.add({ identifier: 'ada', password })
    await users.disable('ADA', { actor: { type: 'operator', id: 'grace' } })
    expect(service.audits.at(-1)).toMatchObject({ action: 'user.disable', actor: { id: 'grace' } })
    await expect(users.disable('ada')).rejects.toMatchObject({ code: 'already_disabled' })
    await expect(users.disable('nobody')).rejects.toMatchObject({ code: 'unknown_user' })
    await expect(users.setPassword('nobody', password)).rejects.toMatchObject({ code: 'unknown_user' })
  })

  it('never share an id with a client', async () => {
    const user = await service.issuer.users.add({ identifier: 'nightly-etl', password })
    const client = await service.client()
    expect([user.id.slice(0, 5), client.id.slice(0, 7)]).toEqual(['user_', 'client_'])
  })
})

describe('clients', () => {
  it('are shown their secret once; only its SHA-256 is stored', async () => {
    const { client, secret } = await service.issuer.clients.add({
      name: 'nightly-etl',
      audiences: ['agent-api'],
      grants: ['client_credentials'],
    })
    expect(secret).toMatch(/^cs_secret_[A-Za-z0-9_-]{43}$/)
    expect(client).toMatchObject({
      type: 'confidential',
      firstParty: false,
      scopes: null,
      origins: [],
      refreshDelivery: 'body',
    })
    expect(JSON.stringify(await service.issuer.clients.list())).not.toContain('hash')
    const record = await service.stores.clients.byId(client.id)
    expect(record?.secrets[0]?.hash).toBe(
      createHash('sha256')
        .update(secret ?? '')
        .digest('base64url'),
    )
    expect(JSON.stringify(record)).not.toContain(secret)
    expect(JSON.stringify([service.audits, service.events])).not.toContain(secret)
  })

  it('that are public have none', async () => {
    const { secret } = await service.issuer.clients.add({
      name: 'app',
      type: 'public',
      audiences: ['agent-api'],
      grants: ['sign_in'],
    })
    expect(secret).toBeNull()
    await expect(service.issuer.clients.rotateSecret('app')).rejects.toMatchObject({ code: 'invalid_option' })
  })

  it('keep the previous secret for the overlap, and no older one', async () => {
    const first = await service.client()
    const second = await service.issuer.clients.rotateSecret('nightly-etl')
    expect(second.previousExpiresAt).toBe(service.clock.now() + 86_400)
    await tokenWith('nightly-etl', first.secret)
    await tokenWith('nightly-etl', second.secret)
    const third = await service.issuer.clients.rotateSecret('nightly-etl')
    expect((await service.stores.clients.byId(first.id))?.secrets).toHaveLength(2)
    await expect(tokenWith('nightly-etl', first.secret)).rejects.toMatchObject({ code: 'invalid_client' })
    await tokenWith('nightly-etl', second.secret)
    service.clock.pass(86_400)
    await expect(tokenWith('nightly-etl', second.secret)).rejects.toMatchObject({ code: 'invalid_client' })
    await tokenWith('nightly-etl', third.secret)
    const fourth = await service.issuer.clients.rotateSecret('nightly-etl', { overlapSeconds: 0 })
    expect(fourth.previousExpiresAt).toBeNull()
    await expect(tokenWith('nightly-etl', third.secret)).rejects.toMatchObject({ code: 'invalid_client' })
  })

  it('may have a secret that ends, which no token of theirs outlives', async () => {
    const secretExpiresAt = service.clock.now() + 120
    const grants = ['client_credentials'] as const
    const wanted = { name: 'visitor', audiences: ['agent-api'], grants, secretExpiresAt }
    const { client, secret } = await service.issuer.clients.add(wanted)
    expect(client.secrets).toMatchObject([{ expiresAt: secretExpiresAt }])
    expect(await tokenWith('visitor', secret ?? '')).toMatchObject({ expiresInSeconds: 120 })
    // Another one that does not end: tokens live as long as any.
    const { secret: lasting } = await service.issuer.clients.rotateSecret('visitor', { overlapSeconds: 60 })
    expect((await tokenWith('visitor', lasting)).expiresInSeconds).toBe(600)
    service.clock.pass(60)
    await expect(tokenWith('visitor', secret ?? '')).rejects.toMatchObject({ code: 'invalid_client' })
    const wrong = [{ secretExpiresAt: service.clock.now() }, { secretExpiresAt, type: 'public' as const }]
    for (const one of wrong) {
      await expect(service.issuer.clients.add({ ...wanted, name: 'other', ...one })).rejects.toMatchObject({
        code: 'invalid_option',
      })
    }
  })

  it('whose secret is over get no token from an operator either', async () => {
    const wanted = { name: 'visitor', audiences: ['agent-api'], grants: ['client_credentials'] as const }
    await service.issuer.clients.add({ ...wanted, secretExpiresAt: service.clock.now() + 120 })
    service.clock.pass(120)
    await expect(service.issuer.issueToken('visitor')).rejects.toMatchObject({ code: 'invalid_client' })
  })

  it('are disabled once, by name or id', async () => {
    const { id, secret } = await service.client()
    await service.issuer.clients.disable(id)
    await expect(service.issuer.clients.disable('nightly-etl')).rejects.toMatchObject({ code: 'already_disabled' })
    await expect(service.issuer.clients.rotateSecret('nightly-etl')).rejects.toMatchObject({ code: 'already_disabled' })
    await expect(service.issuer.clients.disable('nobody')).rejects.toMatchObject({ code: 'unknown_client' })
    await expect(tokenWith(id, secret)).rejects.toMatchObject({ code: 'invalid_client' })
  })

  const usual: NewClient = { name: 'x', audiences: ['agent-api'], grants: ['client_credentials'] }
  const browser: NewClient = {
    name: 'x',
    type: 'public',
    audiences: ['web-api'],
    grants: ['sign_in'],
    origins: ['https://app.example.com'],
  }
  it.each<[why: string, client: unknown, code: string]>([
    ['no name', { ...usual, name: '' }, 'invalid_name'],
    ['a name with a colon', { ...usual, name: 'a:b' }, 'invalid_name'],
    ['a name with a slash', { ...usual, name: '../x' }, 'invalid_name'],
    ['a name like an id', { ...usual, name: 'client_x' }, 'invalid_name'],
    ['a name like a user', { ...usual, name: 'user_x' }, 'invalid_name'],
    ['a name of 65 characters', { ...usual, name: 'x'.repeat(65) }, 'invalid_name'],
    ['no grants', { ...usual, grants: [] }, 'invalid_option'],
    ['an unknown grant', { ...usual, grants: ['password'] }, 'invalid_option'],
    ['no audiences', { ...usual, audiences: [] }, 'invalid_option'],
    ['an unknown audience', { ...usual, audiences: ['nowhere'] }, 'invalid_option'],
    ['an unknown scope', { ...usual, scopes: ['admin'] }, 'invalid_option'],
    ["another audience's scope", { ...usual, scopes: ['reports:read'] }, 'invalid_option'],
    ['an unknown field', { ...usual, trusted: true }, 'invalid_option'],
    ['client credentials without a secret', { ...usual, type: 'public' }, 'invalid_option'],
    ['refresh without sign-in', { ...usual, grants: ['client_credentials', 'refresh_token'] }, 'invalid_option'],
    ['an origin with a path', { ...browser, origins: ['https://app.example.com/'] }, 'invalid_option'],
    ['an origin with a wildcard', { ...browser, origins: ['https://*.example.com'] }, 'invalid_option'],
    ['an origin over http', { ...browser, origins: ['http://app.example.com'] }, 'invalid_option'],
    ['the origin null', { ...browser, origins: ['null'] }, 'invalid_option'],
    ['a cookie without a browser', { ...usual, grants: ['sign_in'], refreshDelivery: 'cookie' }, 'invalid_option'],
    [
      'a refresh token in the body of a browser where the consumer says cookie',
      { ...browser, grants: ['sign_in', 'refresh_token'], refreshDelivery: 'body' },
      'invalid_option',
    ],
  ])('are not added with %s', async (_why, client, code) => {
    await expect(service.issuer.clients.add(client as NewClient)).rejects.toMatchObject({ code })
    expect(await service.issuer.clients.list()).toEqual([])
    expect(service.audits).toEqual([])
  })
})

describe('sessions', () => {
  it('are listed for a user and revoked by id', async () => {
    await service.client({ name: 'cli', type: 'public', grants: ['sign_in', 'refresh_token'] })
    await service.issuer.users.add({ identifier: 'ada', password })
    const { sessionId } = await service.issuer.signIn({
      client: { method: 'none', clientId: 'cli' },
      identifier: 'ada',
      secret: password,
    })
    expect(await service.issuer.sessions.list('ada')).toMatchObject([{ id: sessionId, endedAt: null }])
    expect(await service.issuer.sessions.byId(sessionId)).toMatchObject({ id: sessionId, endedAt: null })
    expect(await service.issuer.sessions.byId('unknown')).toBeUndefined()
    const before = await service.issuer.revocationPosition()
    for (const reason of ['', ' ', 'x'.repeat(257), 'two\nlines', 'hidden\u202e']) {
      const refused = service.issuer.sessions.revoke(sessionId, { reason })
      await expect(refused).rejects.toMatchObject({ code: 'invalid_option' })
    }
    expect(await service.issuer.revocationPosition()).toEqual(before)
    const actor = { type: 'user', id: 'user_operator' } as const
    expect(await service.issuer.sessions.revoke(sessionId, { actor, reason: 'ticket 4711' })).toBe(true)
    expect(service.audits.at(-1)).toMatchObject({ action: 'session.end', actor, reason: 'ticket 4711' })
    expect(await service.issuer.revocationPosition()).toEqual({ ...before, seq: before.seq + 1 })
    expect(await service.issuer.sessions.revoke(sessionId)).toBe(false)
    expect(await service.issuer.sessions.revoke('unknown')).toBe(false)
    expect(await service.issuer.sessions.list('ada')).toMatchObject([{ id: sessionId, endReason: 'revoked' }])
    await expect(service.issuer.sessions.list('nobody')).rejects.toMatchObject({ code: 'unknown_user' })
  })
})

describe('the operator', () => {
  it('issues a token to a client without its secret, under the same rules and the own name', async () => {
    const { id } = await service.client({ audiences: ['agent-api', 'analytics-service'], scopes: ['agents:read'] })
    const actor = { type: 'operator', id: 'grace' } as const
    const issued = await service.issuer.issueToken('nightly-etl', { audience: 'agent-api', actor })
    expect(issued).toMatchObject({ subject: id, scope: 'agents:read', audience: 'agent-api', refresh: null })
    expect(service.audits.at(-1)).toMatchObject({ action: 'token.issue', actor })
    expect(await service.issuer.introspectToken(issued.accessToken)).toMatchObject({ active: true, sub: id })
    await service.issuer.revokeToken(issued.accessToken)
    expect(await service.issuer.introspectToken(issued.accessToken)).toEqual({ active: false })

    const refused = (name: string, target: object) => service.issuer.issueToken(name, target)
    await expect(refused('nobody', {})).rejects.toMatchObject({ code: 'unknown_client' })
    await expect(refused(id, {})).rejects.toMatchObject({ code: 'invalid_target' })
    await expect(refused(id, { audience: 'agent-api', scope: 'chat:write' })).rejects.toMatchObject({
      code: 'invalid_scope',
    })
    await service.client({ name: 'cli', type: 'public', grants: ['sign_in'] })
    await expect(refused('cli', {})).rejects.toMatchObject({ code: 'unauthorized_client' })
    await service.issuer.clients.disable(id)
    await expect(refused(id, { audience: 'agent-api' })).rejects.toMatchObject({ code: 'already_disabled' })
  })
})

describe('pages', () => {
  it.each([0, -1, 1.5, 1001, Number.NaN])('of %d are refused', async (limit) => {
    await expect(service.issuer.users.list({ limit })).rejects.toMatchObject({ code: 'invalid_option' })
    await expect(service.issuer.clients.list({ limit })).rejects.toMatchObject({ code: 'invalid_option' })
  })
})

describe('options', () => {
  const good = (): IssuerOptions => ({
    issuer: service.issuer.issuer,
    rings: service.rings,
    consumers,
    stores: memoryIssuerStores(),
  })
  it.each<[why: string, change: Partial<IssuerOptions>, message: RegExp]>([
    ['an issuer that is no URL', { issuer: 'auth' }, /issuer/],
    ['an issuer over http', { issuer: 'http://auth.example.com' }, /issuer/],
    ['an issuer with a trailing slash', { issuer: 'https://auth.example.com/' }, /issuer/],
    ['an issuer with a query', { issuer: 'https://auth.example.com?x' }, /issuer/],
    ['an issuer with credentials', { issuer: 'https://a:b@auth.example.com' }, /issuer/],
    ['an issuer in capitals', { issuer: 'https://AUTH.example.com' }, /issuer/],
    ['rings of another issuer', { issuer: 'https://auth.example.com' }, /rings/],
    ['no ring', { rings: [] }, /rings/],
    ['a limit that is no number', { limits: { refreshIdleSeconds: '30d' as never } }, /refreshIdleSeconds/],
    ['an unknown limit', { limits: { refreshIdle: 1 } as never }, /refreshIdle/],
    ['less memory than OWASP recommends', { limits: { passwordMemoryKiB: 1024 } }, /passwordMemoryKiB/],
    ['an idle limit past the absolute one', { limits: { refreshAbsoluteSeconds: 60 } }, /refreshAbsoluteSeconds/],
    [
      'a back-off past the longest',
      { limits: { backOffSeconds: 900, longestBackOffSeconds: 60 } },
      /longestBackOffSeconds/,
    ],
  ])('with %s are refused by name', (_why, change, message) => {
    expect(() => createIssuer({ ...good(), ...change })).toThrow(
      expect.objectContaining({ code: 'invalid_option', message: expect.stringMatching(message) }),
    )
  })

  it('with two rings of one algorithm, or lives that the ring is not made for, are refused', () => {
    expect(() => createIssuer({ ...good(), rings: [...service.rings, ...service.rings] })).toThrow(/2 rings/)
    const long = { consumers: { 'agent-api': { ...consumers['agent-api'], accessTokenLifeSeconds: 3600 } }, edges: [] }
    expect(() => createIssuer({ ...good(), consumers: long })).toThrow(/3600 s.*600 s/)
  })
})

describe('errors', () => {
  it('each have a remedy, and are known across copies of the package', () => {
    expect(Object.keys(remedies).sort()).toEqual([...issuerErrorCodes].sort())
    expect(new IssuerError('invalid_grant', 'x').remedy).toBe(remedies.invalid_grant)
    const foreign = Object.assign(new Error('x'), { name: 'IssuerError', code: 'invalid_grant' })
    expect(isIssuerError(foreign)).toBe(true)
    expect(isIssuerError(Object.assign(new Error('x'), { name: 'IssuerError', code: 'other' }))).toBe(false)
    expect(isIssuerError({ name: 'IssuerError', code: 'invalid_grant' })).toBe(false)
  })
})
