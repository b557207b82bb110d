import { createVerifier } from '@countersign/tokens'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { basic, claimsOf, type Service, startService, withAda } from './service.ts'

let service: Service
let etl: { id: string; secret: string }
let narrow: { id: string; secret: string }
beforeAll(async () => {
  service = await startService({ limits: { failuresPerMinute: 1000 } })
  etl = await service.client({ audiences: ['agent-api', 'analytics-service', 'billing-worker', 'web-api'] })
  narrow = await service.client({ name: 'narrow', scopes: ['agents:read'] })
  await withAda(service)
})
afterAll(() => service.close())

const grant = { grant_type: 'client_credentials', audience: 'agent-api' }
const auth = (): Record<string, string> => ({ authorization: basic(etl.id, etl.secret) })

describe('client credentials', () => {
  it('answers with a token that the verifier of its audience accepts', async () => {
    const answer = await service.post('/oauth/token', grant, auth())
    expect(answer.status).toBe(200)
    expect(answer.body).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 600,
      scope: 'agents:read chat:write',
    })
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.headers.get('pragma')).toBe('no-cache')
    expect(answer.headers.get('content-type')).toBe('application/json')
    expect(answer.headers.get('access-control-allow-origin')).toBeNull()

    const [ring] = service.rings
    if (ring === undefined) throw new Error('no ring')
    const verifier = createVerifier({ issuer: service.url, audience: 'agent-api', keys: ring.keys })
    const principal = await verifier.verify(answer.body.access_token)
    expect(principal).toMatchObject({ subject: etl.id, clientId: etl.id, generations: [0, 0, 0] })
    expect(principal.tokenId).toMatch(/^[A-Za-z0-9_-]{22}$/)
    expect(principal.session).toMatch(/^[A-Za-z0-9_-]{22}$/)
  })

  it('stores one row for each token and records it before it answers', async () => {
    const answer = await service.post('/oauth/token', grant, auth())
    const { jti, sid, exp, iat } = claimsOf(answer.body.access_token)
    expect((await service.stores.issued.status(String(jti)))?.issued).toEqual({
      jti,
      sessionId: sid,
      kid: service.rings[0]?.status().activeKid,
      audience: 'agent-api',
      clientId: etl.id,
      subject: etl.id,
      issuedAt: iat,
      expiresAt: exp,
    })
    expect(service.audits.at(-1)).toMatchObject({
      action: 'token.issue',
      outcome: 'allowed',
      actor: { type: 'client', id: etl.id },
      target: { type: 'token', id: jti },
      details: { audience: 'agent-api', grant: 'client_credentials' },
    })
    expect(service.events.at(-1)).toMatchObject({ type: 'token_issued', audience: 'agent-api', algorithm: 'EdDSA' })
  })

  it.each([
    ['the audience by name', { audience: 'agent-api' }],
    ['the resource by URL', { resource: 'https://api.example.com/agents' }],
    ['both, agreeing', { audience: 'agent-api', resource: 'https://api.example.com/agents' }],
  ])('takes %s', async (_what, target) => {
    const { body } = await service.post('/oauth/token', { grant_type: 'client_credentials', ...target }, auth())
    expect(claimsOf(body.access_token).aud).toBe('agent-api')
  })

  it('takes the only audience of a client, and its allowed scopes, when none are named', async () => {
    const header = { authorization: basic(narrow.id, narrow.secret) }
    const { body } = await service.post('/oauth/token', { grant_type: 'client_credentials' }, header)
    expect(claimsOf(body.access_token)).toMatchObject({ aud: 'agent-api', scope: 'agents:read' })
  })

  it('gives what was asked for and no more, each scope once', async () => {
    const { body } = await service.post('/oauth/token', { ...grant, scope: 'chat:write chat:write' }, auth())
    expect(body.scope).toBe('chat:write')
  })

  it('takes the client by name, and says its id', async () => {
    const { body } = await service.post('/oauth/token', grant, { authorization: basic('nightly-etl', etl.secret) })
    expect(claimsOf(body.access_token).client_id).toBe(etl.id)
  })

  it('treats a parameter without a value as absent, and ignores unknown ones', async () => {
    const { status } = await service.post('/oauth/token', { ...grant, scope: '', resource: '', colour: 'blue' }, auth())
    expect(status).toBe(200)
  })

  it('never repeats a jti or a sid', async () => {
    const ids = new Set<unknown>()
    for (let round = 0; round < 100; round += 1) {
      const { accessToken } = await service.issuer.clientCredentials({
        client: { method: 'client_secret_post', clientId: etl.id, secret: etl.secret },
        audience: 'agent-api',
      })
      const { jti, sid } = claimsOf(accessToken)
      ids.add(jti).add(sid)
    }
    expect(ids.size).toBe(200)
  })
})

describe('refusals of the token endpoint', () => {
  const cc = 'grant_type=client_credentials&audience=agent-api'
  type Row = [why: string, body: string, headers: Record<string, string>, status: number, error: string]
  const rows = (): Row[] => [
    ['has no grant type', 'audience=agent-api', auth(), 400, 'invalid_request'],
    [
      'asks for the password grant',
      'grant_type=password&username=ada&password=x',
      auth(),
      400,
      'unsupported_grant_type',
    ],
    ['asks for the implicit grant', 'grant_type=implicit', auth(), 400, 'unsupported_grant_type'],
    ['asks for __proto__', 'grant_type=__proto__', auth(), 400, 'unsupported_grant_type'],
    ['repeats a parameter', `${cc}&audience=agent-api`, auth(), 400, 'invalid_request'],
    ['repeats an unknown parameter', `${cc}&x=1&x=2`, auth(), 400, 'invalid_request'],
    ['repeats a parameter under another spelling', `${cc}&%61udience=agent-api`, auth(), 400, 'invalid_request'],
    [
      'has too many parameters',
      `${cc}&${Array.from({ length: 40 }, (_, n) => `p${n}=1`).join('&')}`,
      auth(),
      400,
      'invalid_request',
    ],
    ['has broken percent-encoding', `${cc}&scope=%zz`, auth(), 400, 'invalid_request'],
    ['has percent-encoded bytes that are no UTF-8', `${cc}&scope=%ff`, auth(), 400, 'invalid_request'],
    ['has a raw line feed', `${cc}&scope=a\nb`, auth(), 400, 'invalid_request'],
    ['names no audience where several are possible', 'grant_type=client_credentials', auth(), 400, 'invalid_target'],
    ['names an unknown audience', 'grant_type=client_credentials&audience=nowhere', auth(), 400, 'invalid_target'],
    ['names the audience __proto__', 'grant_type=client_credentials&audience=__proto__', auth(), 400, 'invalid_target'],
    [
      'names an unknown resource',
      'grant_type=client_credentials&resource=https://evil.example',
      auth(),
      400,
      'invalid_target',
    ],
    [
      'names two different targets',
      'grant_type=client_credentials&audience=analytics-service&resource=https://api.example.com/agents',
      auth(),
      400,
      'invalid_target',
    ],
    [
      'names an audience for exchange only',
      'grant_type=client_credentials&audience=billing-worker',
      auth(),
      400,
      'invalid_target',
    ],
    [
      'names an audience for sign-in only',
      'grant_type=client_credentials&audience=web-api',
      auth(),
      400,
      'invalid_target',
    ],
    [
      'names an audience not its own',
      'grant_type=client_credentials&audience=analytics-service',
      { authorization: basic(narrow.id, narrow.secret) },
      400,
      'invalid_target',
    ],
    ['asks for an unknown scope', `${cc}&scope=agents:delete`, auth(), 400, 'invalid_scope'],
    ["asks for another audience's scope", `${cc}&scope=reports:read`, auth(), 400, 'invalid_scope'],
    [
      'asks for a scope not its own',
      `${cc}&scope=chat:write`,
      { authorization: basic(narrow.id, narrow.secret) },
      400,
      'invalid_scope',
    ],
    ['asks for one good and one bad scope', `${cc}&scope=agents:read+admin`, auth(), 400, 'invalid_scope'],
    ['has a malformed scope', `${cc}&scope=agents:read++chat:write`, auth(), 400, 'invalid_scope'],
    ['has a quote in its scope', `${cc}&scope=%22`, auth(), 400, 'invalid_scope'],
    [
      'has 65 scopes',
      `${cc}&scope=${Array.from({ length: 65 }, (_, n) => `s${n}`).join('+')}`,
      auth(),
      400,
      'invalid_scope',
    ],
    ['has no client', cc, {}, 401, 'invalid_client'],
    ['has a wrong secret', cc, { authorization: basic(etl.id, `${etl.secret}x`) }, 401, 'invalid_client'],
    ['has an empty secret', cc, { authorization: basic(etl.id, '') }, 401, 'invalid_client'],
    ["has another client's secret", cc, { authorization: basic(etl.id, narrow.secret) }, 401, 'invalid_client'],
    ['has an unknown client', cc, { authorization: basic('nobody', etl.secret) }, 401, 'invalid_client'],
    ['has a client id with a path', cc, { authorization: basic('../etl', etl.secret) }, 401, 'invalid_client'],
    ['has Basic without a colon', cc, { authorization: `Basic ${btoa('nothing')}` }, 401, 'invalid_client'],
    ['has Basic that is no base64', cc, { authorization: 'Basic ???' }, 401, 'invalid_client'],
    ['has broken percent-encoding in Basic', cc, { authorization: `Basic ${btoa('%zz:x')}` }, 400, 'invalid_request'],
    ['has a Bearer header', cc, { authorization: 'Bearer abc' }, 401, 'invalid_client'],
    ['authenticates twice', `${cc}&client_id=${etl.id}&client_secret=${etl.secret}`, auth(), 400, 'invalid_request'],
    ['names two clients', `${cc}&client_id=${narrow.id}`, auth(), 400, 'invalid_request'],
    [
      'sends an assertion, which is not supported',
      `${cc}&client_assertion=a.b.c&client_assertion_type=urn`,
      {},
      401,
      'invalid_client',
    ],
    ['sends an assertion beside a secret', `${cc}&client_assertion=a.b.c`, auth(), 400, 'invalid_request'],
    ['is a confidential client without its secret', `${cc}&client_id=${etl.id}`, {}, 401, 'invalid_client'],
    ['is a public client', `${cc}&client_id=countersign-cli`, {}, 401, 'invalid_client'],
    [
      'refreshes without the grant',
      'grant_type=refresh_token&refresh_token=cs_refresh_x',
      auth(),
      400,
      'unauthorized_client',
    ],
    ['refreshes without a token', 'grant_type=refresh_token&client_id=countersign-cli', {}, 400, 'invalid_request'],
    [
      'is JSON',
      '{"grant_type":"client_credentials"}',
      { ...auth(), 'content-type': 'application/json' },
      400,
      'invalid_request',
    ],
    ['is multipart', 'x', { ...auth(), 'content-type': 'multipart/form-data; boundary=x' }, 400, 'invalid_request'],
    [
      'is a form in another charset',
      cc,
      { ...auth(), 'content-type': 'application/x-www-form-urlencoded; charset=utf-16' },
      400,
      'invalid_request',
    ],
    ['is compressed', cc, { ...auth(), 'content-encoding': 'gzip' }, 415, 'invalid_request'],
    ['is too large', `${cc}&x=${'y'.repeat(20_000)}`, auth(), 413, 'invalid_request'],
    ['is empty', '', auth(), 400, 'invalid_request'],
  ]

  it('are what the table says, and repeat nothing of the request', async () => {
    for (const [why, body, headers, status, error] of rows()) {
      const response = await fetch(`${service.url}/oauth/token`, {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      })
      const text = await response.text()
      const parsed = JSON.parse(text)
      expect([why, response.status, parsed.error]).toEqual([why, status, error])
      expect(Object.keys(parsed), why).toEqual(['error', 'error_description', 'error_uri'])
      expect(parsed.error_uri, why).toBe(`${service.url}/oauth/errors#${error}`)
      expect(text.length, why).toBeLessThan(2048)
      expect(text, why).not.toMatch(/nowhere|evil|agents:delete|password|cs_secret|cs_refresh|nightly/)
      expect(response.headers.get('cache-control'), why).toBe('no-store')
      expect(response.headers.get('www-authenticate')?.startsWith('Basic ') ?? false, why).toBe(status === 401)
    }
  })

  it.each([
    ['a token', 'token=cs_refresh_x'],
    ['credentials', 'client_id=a&client_secret=b'],
    ['anything', 'x=1'],
  ])('refuses %s in the URL', async (_what, query) => {
    for (const path of ['/oauth/token', '/oauth/revoke', '/oauth/introspect']) {
      const { status, body } = await service.post(`${path}?${query}`, grant, auth())
      expect([status, body.error]).toEqual([400, 'invalid_request'])
    }
  })

  it('reports each by grant and code, with nothing of the request in it', async () => {
    service.events.length = 0
    await service.post('/oauth/token', { ...grant, scope: 'admin' }, auth())
    expect(service.events).toEqual([{ type: 'token_refused', grant: 'client_credentials', error: 'invalid_scope' }])
  })

  it('reports the reason of a failed client authentication inside only', async () => {
    service.events.length = 0
    await service.post('/oauth/token', grant, { authorization: basic(etl.id, 'wrong') })
    await service.post('/oauth/token', grant, { authorization: basic('nobody', 'wrong') })
    const reasons = service.events.flatMap((event) =>
      event.type === 'client_authentication_failed' ? [event.reason] : [],
    )
    expect(reasons).toEqual(['wrong_secret', 'unknown_client'])
  })
})
