import { generateKeyPairSync, sign } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { basic, claimsOf, type Service, signInBody, startService, withAda } from './service.ts'

let service: Service
let etl: { id: string; secret: string }
let other: { id: string; secret: string }
beforeEach(async () => {
  service = await startService()
  etl = await service.client({ name: 'etl' })
  other = await service.client({ name: 'other' })
  await withAda(service)
})
afterEach(() => service.close())

const as = (client: { id: string; secret: string }) => ({ authorization: basic(client.id, client.secret) })
async function tokenOf(client: { id: string; secret: string }): Promise<string> {
  const { body } = await service.post('/oauth/token', { grant_type: 'client_credentials' }, as(client))
  return body.access_token
}
const introspect = async (token: string, client = other) =>
  (await service.post('/oauth/introspect', { token }, as(client))).text
const revoke = (token: string, client = etl, hint: Record<string, string> = {}) =>
  service.post('/oauth/revoke', { token, ...hint }, as(client))
const inactive = '{"active":false}'

describe('introspection', () => {
  it('tells what the token says', async () => {
    const token = await tokenOf(etl)
    const claims = claimsOf(token)
    expect(JSON.parse(await introspect(token))).toEqual({
      active: true,
      iss: service.url,
      sub: etl.id,
      aud: 'agent-api',
      client_id: etl.id,
      scope: 'agents:read chat:write',
      exp: claims.exp,
      iat: claims.iat,
      sid: claims.sid,
      jti: claims.jti,
      token_type: 'Bearer',
    })
  })

  it('says exactly {"active":false} of anything else', async () => {
    const token = await tokenOf(etl)
    const [header = '', payload = '', signature = ''] = token.split('.')
    const changed = (fields: object): string =>
      [header, Buffer.from(JSON.stringify({ ...claimsOf(token), ...fields })).toString('base64url'), signature].join(
        '.',
      )
    const { privateKey } = generateKeyPairSync('ed25519')
    const forged = `${header}.${payload}.${sign(null, Buffer.from(`${header}.${payload}`), privateKey).toString('base64url')}`
    const none = `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString('base64url')}.${payload}.`
    const nothings = [
      ['nothing like a token', 'x'],
      ['two parts', `${header}.${payload}`],
      ['five parts', `${token}.x.y`],
      ['a forged signature', forged],
      ['no signature', none],
      ['a changed scope', changed({ scope: 'admin' })],
      ['a changed audience', changed({ aud: 'analytics-service' })],
      ['an unknown audience', changed({ aud: '__proto__' })],
      ['a token with a space after it', `${token} `],
      ['a very long token', 'a'.repeat(15_000)],
      ['an unknown refresh token', `cs_refresh_${'A'.repeat(43)}`],
      ['text with NUL', 'a\0b'],
    ]
    for (const [why = '', text = ''] of nothings) expect([why, await introspect(text)]).toEqual([why, inactive])
  })

  it('calls a token inactive that this store did not issue, although its signature holds', async () => {
    const [ring] = service.rings
    const now = service.clock.now()
    const stray = await ring?.sign({
      sub: etl.id,
      aud: 'agent-api',
      client_id: etl.id,
      scope: 'agents:read',
      sid: 'x',
      gen: [0, 0, 0],
      iat: now,
      exp: now + 60,
    })
    expect(await introspect(stray ?? '')).toBe(inactive)
  })

  it('calls a token inactive from the very second of its expiry', async () => {
    const token = await tokenOf(etl)
    service.clock.pass(599)
    expect(await introspect(token)).not.toBe(inactive)
    service.clock.pass(1)
    expect(await introspect(token)).toBe(inactive)
  })

  it.each<[what: string, raise: () => void]>([
    ['of the issuer', () => Object.assign(service.stores, { globalGeneration: async () => 1 })],
    [
      'of the client',
      () => {
        const byId = service.stores.clients.byId.bind(service.stores.clients)
        const raised = async (id: string) => {
          const found = await byId(id)
          return found === undefined ? undefined : { ...found, generation: found.generation + 1 }
        }
        Object.assign(service.stores.clients, { byId: raised })
      },
    ],
  ])('calls a token inactive that is of an older generation %s', async (_whose, raise) => {
    const token = await tokenOf(etl)
    expect(await introspect(token)).not.toBe(inactive)
    raise()
    expect(await introspect(token)).toBe(inactive)
  })

  it('calls a token inactive that is of an older generation of its user, access or refresh', async () => {
    const { secret } = await service.client({ name: 'web-server', grants: ['sign_in', 'refresh_token'] })
    const webServer = { id: 'web-server', secret }
    const { body } = await service.postJson('/auth/sign-in', signInBody({ client_id: 'web-server' }), as(webServer))
    const byId = service.stores.users.byId.bind(service.stores.users)
    const raised = async (id: string) => {
      const found = await byId(id)
      return found === undefined ? undefined : { ...found, generation: 1 }
    }
    for (const token of [body.access_token, body.refresh_token]) {
      expect(await introspect(token, webServer)).not.toBe(inactive)
    }
    Object.assign(service.stores.users, { byId: raised })
    for (const token of [body.access_token, body.refresh_token]) {
      expect(await introspect(token, webServer)).toBe(inactive)
    }
  })

  it('tells of a refresh token to its own client only', async () => {
    const { secret } = await service.client({ name: 'web-server', grants: ['sign_in', 'refresh_token'] })
    const { body } = await service.postJson('/auth/sign-in', signInBody({ client_id: 'web-server' }), {
      authorization: basic('web-server', secret),
    })
    expect(await introspect(body.refresh_token)).toBe(inactive)
    expect(JSON.parse(await introspect(body.refresh_token, { id: 'web-server', secret }))).toMatchObject({
      active: true,
      sid: claimsOf(body.access_token).sid,
    })
  })

  it.each<[why: string, form: Record<string, string>, status: number, error: string]>([
    ['nobody', { token: 'x' }, 401, 'invalid_client'],
    ['a public client', { token: 'x', client_id: 'countersign-cli' }, 401, 'invalid_client'],
    ['a wrong secret', { token: 'x', client_id: 'etl', client_secret: 'y' }, 401, 'invalid_client'],
  ])('is refused to %s', async (_who, form, status, error) => {
    const answer = await service.post('/oauth/introspect', form)
    expect([answer.status, answer.body.error]).toEqual([status, error])
  })

  it('needs a token', async () => {
    for (const path of ['/oauth/introspect', '/oauth/revoke']) {
      const answer = await service.post(path, {}, as(etl))
      expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request'])
    }
  })
})

describe('revocation', () => {
  it('makes an access token inactive at once, and no other', async () => {
    const [token, sibling] = [await tokenOf(etl), await tokenOf(etl)]
    const answer = await revoke(token)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(await introspect(token)).toBe(inactive)
    expect(await introspect(sibling)).not.toBe(inactive)
    expect(service.audits.at(-1)).toMatchObject({ action: 'token.revoke', actor: { type: 'client', id: etl.id } })
    expect(service.events).toContainEqual({ type: 'token_revoked', jti: claimsOf(token).jti, clientId: etl.id })
  })

  it('ends the session of a refresh token, with every token of it', async () => {
    const { body } = await service.postJson('/auth/sign-in', signInBody())
    const answer = await service.post('/oauth/revoke', { token: body.refresh_token, client_id: 'countersign-cli' })
    expect(answer.status).toBe(200)
    expect(await introspect(body.access_token)).toBe(inactive)
    const again = await service.post('/oauth/token', {
      grant_type: 'refresh_token',
      refresh_token: body.refresh_token,
      client_id: 'countersign-cli',
    })
    expect(again.body.error).toBe('invalid_grant')
  })

  it.each([
    ['unknown', async () => 'x'],
    [
      'expired',
      async () => {
        const token = await tokenOf(etl)
        service.clock.pass(3600)
        return token
      },
    ],
    [
      'revoked before',
      async () => {
        const token = await tokenOf(etl)
        await revoke(token)
        return token
      },
    ],
  ])('answers 200 and records nothing for a token that is %s', async (_what, make) => {
    const token = await make()
    const recorded = service.audits.length
    expect((await revoke(token)).status).toBe(200)
    expect(service.audits.length).toBe(recorded)
  })

  it("answers 200 for another client's tokens and leaves them alone", async () => {
    const token = await tokenOf(other)
    const { body } = await service.postJson('/auth/sign-in', signInBody())
    for (const foreign of [token, body.access_token, body.refresh_token]) {
      expect((await revoke(foreign)).status).toBe(200)
    }
    expect(await introspect(token)).not.toBe(inactive)
    expect(await introspect(body.access_token)).not.toBe(inactive)
  })

  it.each(['access_token', 'refresh_token', 'nonsense'])('does not trust the hint %s', async (token_type_hint) => {
    const token = await tokenOf(etl)
    expect((await revoke(token, etl, { token_type_hint })).status).toBe(200)
    expect(await introspect(token)).toBe(inactive)
  })

  it('needs the client to show who it is', async () => {
    const token = await tokenOf(etl)
    for (const form of [{ token }, { token, client_id: 'etl' }, { token, client_id: 'etl', client_secret: 'x' }]) {
      const answer = await service.post('/oauth/revoke', form)
      expect([answer.status, answer.body.error]).toEqual([401, 'invalid_client'])
    }
    expect(await introspect(token)).not.toBe(inactive)
  })

  it('fails and changes nothing when it cannot be recorded', async () => {
    const token = await tokenOf(etl)
    service.failAudit(new Error('disk full'))
    expect((await revoke(token)).status).toBe(503)
    service.failAudit(undefined)
    expect(await introspect(token)).not.toBe(inactive)
  })

  it('is there for the operator, of any token', async () => {
    const token = await tokenOf(etl)
    expect(await service.issuer.revokeToken(token, { actor: { type: 'operator', id: 'grace' } })).toBe(true)
    expect(await service.issuer.revokeToken(token)).toBe(false)
    expect(await introspect(token)).toBe(inactive)
    expect(service.audits.at(-1)?.actor).toEqual({ type: 'operator', id: 'grace' })
  })

  it('of everything a client has, by disabling it', async () => {
    const token = await tokenOf(etl)
    await service.issuer.clients.disable('etl')
    expect(await introspect(token)).toBe(inactive)
    expect((await service.post('/oauth/token', { grant_type: 'client_credentials' }, as(etl))).status).toBe(401)
  })
})

describe('sign-out and status', () => {
  const status = async (headers: Record<string, string> = {}) =>
    (await fetch(`${service.url}/auth/status`, { headers })).json()

  it('says nobody when there is nobody', async () => {
    expect(await status()).toEqual({ state: 'signed-out' })
    expect(await status({ authorization: 'Bearer x.y.z' })).toEqual({ state: 'signed-out' })
    expect(await status({ authorization: `Bearer ${await tokenOf(etl)}` })).toEqual({ state: 'signed-out' })
  })

  it('says who is signed in, since when and until when', async () => {
    const { body } = await service.postJson('/auth/sign-in', signInBody())
    const now = service.clock.now()
    expect(await status({ authorization: `Bearer ${body.access_token}` })).toEqual({
      state: 'signed-in',
      subject: claimsOf(body.access_token).sub,
      session: claimsOf(body.access_token).sid,
      client_id: claimsOf(body.access_token).client_id,
      signed_in_at: now,
      expires_at: now + 600,
    })
  })

  it.each<
    [how: string, send: (tokens: { access_token: string; refresh_token: string }) => Promise<{ status: number }>]
  >([
    [
      'the refresh token in the body',
      (tokens) => service.postJson('/auth/sign-out', { refresh_token: tokens.refresh_token }),
    ],
    [
      'the access token in the header',
      (tokens) => service.postJson('/auth/sign-out', {}, { authorization: `Bearer ${tokens.access_token}` }),
    ],
  ])('ends the session by %s', async (_how, send) => {
    const { body } = await service.postJson('/auth/sign-in', signInBody())
    expect((await send(body)).status).toBe(200)
    expect(await introspect(body.access_token)).toBe(inactive)
    expect(await status({ authorization: `Bearer ${body.access_token}` })).toEqual({ state: 'signed-out' })
    expect(service.audits.at(-1)).toMatchObject({ action: 'session.end', reason: 'signed_out' })
    expect((await send(body)).status).toBe(200)
  })

  it('refuses two credentials and a form', async () => {
    const both = await service.postJson(
      '/auth/sign-out',
      { refresh_token: 'cs_refresh_x' },
      { authorization: 'Bearer a.b.c' },
    )
    expect([both.status, both.body.error]).toEqual([400, 'invalid_request'])
    const form = await service.post('/auth/sign-out', { refresh_token: 'cs_refresh_x' })
    expect(form.status).toBe(400)
  })
})
