import { type TestClock, testClock } from '@countersign-tooling/clock'
import { settled } from '@countersign-tooling/clock/settled'
import { describe, expect, it } from 'vitest'
import { createTokenSource, type TokenSource, type TokenSourceEvent, type TokenSourceOptions } from '../src/index.ts'
import { type ScriptedServer, scriptedServer, send, token } from './scripted-server.ts'

interface World {
  readonly server: ScriptedServer
  readonly clock: TestClock
  readonly source: TokenSource
  readonly events: TokenSourceEvent[]
}

async function world(options: Partial<TokenSourceOptions> = {}): Promise<World> {
  const server = await scriptedServer()
  const clock = testClock()
  const events: TokenSourceEvent[] = []
  const source = createTokenSource({
    issuer: server.issuer,
    client: { id: 'nightly-etl', secret: 'a secret' },
    grant: { type: 'client_credentials', audience: 'agent-api', scope: 'agents:read' },
    clock,
    patienceMs: 0,
    onEvent: (event) => events.push(event),
    ...options,
  })
  return { server, clock, source, events }
}

describe('a token source', () => {
  it('asks once for all who wait, and keeps what came', async () => {
    const { server, source } = await world()
    const tokens = await Promise.all(Array.from({ length: 50 }, () => source.getToken()))
    expect(new Set(tokens)).toEqual(new Set(['token-1']))
    expect(await source.getToken()).toBe('token-1')
    expect(server.asked).toHaveLength(1)
    expect(Object.fromEntries(server.asked[0]?.form ?? [])).toEqual({
      grant_type: 'client_credentials',
      audience: 'agent-api',
      scope: 'agents:read',
    })
    expect(server.paths).toEqual(['/.well-known/oauth-authorization-server', '/oauth/token'])
  })

  it('renews ahead, between 70 and 80 % of its life, while it is in use', async () => {
    const { server, clock, source, events } = await world()
    await source.getToken()
    await source.getToken()
    await clock.pass(419)
    expect(server.asked).toHaveLength(1)
    await clock.pass(62)
    await settled()
    expect(server.asked).toHaveLength(2)
    expect(await source.getToken()).toBe('token-2')
    expect(events.map(({ type }) => type)).toEqual(['token.renewed', 'token.renewed'])
  })

  it('is not renewed for nobody', async () => {
    const { server, clock, source } = await world()
    await source.getToken()
    await clock.pass(599)
    expect(server.asked).toHaveLength(1)
    await clock.pass(10_000)
    expect(await source.getToken()).toBe('token-2')
  })

  it('hands out what it has while it renews', async () => {
    const { server, clock, source } = await world()
    await source.getToken()
    await clock.pass(481)
    expect(await source.getToken()).toBe('token-1')
    await settled()
    expect(await source.getToken()).toBe('token-2')
    expect(server.asked).toHaveLength(2)
  })

  it('gives no token that ends within 5 seconds', async () => {
    const { clock, source } = await world()
    await source.getToken()
    await clock.pass(594.9)
    expect(await source.getToken()).toBe('token-1')
    await settled()
    const { clock: other, source: second } = await world()
    await second.getToken()
    await other.pass(595.1)
    expect(await second.getToken()).toBe('token-2')
  })

  it('does not trust a token past its end on the wall clock, nor give it life by setting the clock back', async () => {
    const { clock, source } = await world()
    await source.getToken()
    clock.jump(3_600)
    expect(await source.getToken()).toBe('token-2')
    clock.jump(-36_000)
    await clock.pass(601)
    expect(await source.getToken()).toBe('token-3')
  })

  it('counts a token’s life from the question, however long the answer takes', async () => {
    const { server, clock, source } = await world()
    server.reply = (_asked, response, turn) => {
      if (turn === 1) clock.jump(60)
      send(response, 200, token(turn))
    }
    expect(await source.getToken()).toBe('token-1')
    clock.jump(534)
    expect(await source.getToken()).toBe('token-1')
    clock.jump(2)
    expect(await source.getToken()).toBe('token-2')
  })

  it('takes an answer without expires_in for a token of a minute', async () => {
    const { server, clock, source } = await world()
    server.reply = (_asked, response, turn) => send(response, 200, { access_token: `t${turn}`, token_type: 'bearer' })
    await source.getToken()
    await clock.pass(54)
    expect(await source.getToken()).toBe('t1')
    await settled()
    await clock.pass(61)
    expect(await source.getToken()).not.toBe('t1')
  })

  it('closes: no more tokens, no timer left', async () => {
    const { clock, source } = await world()
    await source.getToken()
    expect(clock.timers).toBe(1)
    source.close()
    expect(clock.timers).toBe(0)
    await expect(source.getToken()).rejects.toMatchObject({ code: 'closed' })
  })

  it('closed while a request is on its way, it gives nothing', async () => {
    const { clock, source } = await world()
    const asked = source.getToken()
    source.close()
    await expect(asked).rejects.toMatchObject({ code: 'closed' })
    expect(clock.timers).toBe(0)
  })
})

describe('a rejected token', () => {
  it('is given up, at most once in 5 seconds', async () => {
    const { server, clock, source } = await world()
    const first = await source.getToken()
    expect(await source.getToken({ reason: 'rejected', token: first })).toBe('token-1')
    await clock.pass(5)
    expect(await source.getToken({ reason: 'rejected', token: first })).toBe('token-2')
    expect(await source.getToken({ reason: 'rejected' })).toBe('token-2')
    expect(server.asked).toHaveLength(2)
  })

  it('does not cost the others the one that came meanwhile', async () => {
    const { server, clock, source } = await world()
    const first = await source.getToken()
    await clock.pass(6)
    await source.getToken({ reason: 'rejected', token: first })
    await clock.pass(6)
    const others = Array.from({ length: 20 }, () => source.getToken({ reason: 'rejected', token: first }))
    expect(new Set(await Promise.all(others))).toEqual(new Set(['token-2']))
    expect(server.asked).toHaveLength(2)
  })

  it('is not given up for another reason', async () => {
    const { server, clock, source } = await world()
    await source.getToken()
    await clock.pass(10)
    expect(await source.getToken({ reason: 'connect' })).toBe('token-1')
    expect(server.asked).toHaveLength(1)
  })
})

describe('an outage', () => {
  it('goes unnoticed while the token lives', async () => {
    const { server, clock, source, events } = await world()
    await source.getToken()
    server.shut()
    for (let minute = 0; minute < 9; minute += 1) {
      await clock.pass(60)
      expect(await source.getToken()).toBe('token-1')
    }
    await clock.pass(58)
    expect(await source.getToken()).toBe('token-1')
    await clock.pass(3)
    await expect(source.getToken()).rejects.toMatchObject({ code: 'unavailable' })
    const failed = events.filter(({ type }) => type === 'token.renewal_failed')
    expect(failed.length).toBeGreaterThan(3)
    expect(failed.length).toBeLessThan(40)
    server.open()
    await clock.pass(31)
    expect(await source.getToken()).toBe('token-2')
  })

  it('is waited for, as long as patience lasts', async () => {
    const { server, source } = await world({ clock: undefined as never, patienceMs: 60_000 })
    server.shut()
    const waiting = source.getToken()
    await expect.poll(() => server.refused).toBeGreaterThan(0)
    server.open()
    expect(await waiting).toBe('token-1')
    source.close()
  })

  it('is not asked about again and again by many callers', async () => {
    const { server, source } = await world()
    server.reply = (_asked, response) => send(response, 503, {})
    for (let turn = 0; turn < 100; turn += 1) {
      await expect(source.getToken()).rejects.toMatchObject({ code: 'unavailable' })
    }
    expect(server.asked).toHaveLength(1)
  })

  it.each([503, 429, 500, 502])('answered by %i is waited out as the server says', async (status) => {
    const { server, clock, source } = await world()
    server.reply = (_asked, response, turn) =>
      turn === 1 ? send(response, status, {}, { 'retry-after': '120' }) : send(response, 200, token(turn))
    await expect(source.getToken()).rejects.toMatchObject({ code: 'unavailable', retryAfterSeconds: 120 })
    await clock.pass(119)
    await expect(source.getToken()).rejects.toMatchObject({ code: 'unavailable', retryAfterSeconds: 1 })
    expect(server.asked).toHaveLength(1)
    await clock.pass(1)
    expect(await source.getToken()).toBe('token-2')
  })

  it('with a Retry-After of a year is asked about after 5 minutes', async () => {
    const { server, source } = await world()
    server.reply = (_asked, response) => send(response, 503, {}, { 'retry-after': '31536000' })
    await expect(source.getToken()).rejects.toMatchObject({ retryAfterSeconds: 300 })
  })

  it('ends for a caller whose signal is aborted; the request goes on for the others', async () => {
    const { server, source } = await world()
    let release = (): void => undefined
    server.reply = async (_asked, response, turn) => {
      await new Promise<void>((resolve) => {
        release = resolve
      })
      send(response, 200, token(turn))
    }
    const controller = new AbortController()
    const left = source.getToken({ signal: controller.signal })
    const stayed = source.getToken()
    await expect.poll(() => server.asked).toHaveLength(1)
    controller.abort(new Error('gone'))
    await expect(left).rejects.toThrow('gone')
    release()
    expect(await stayed).toBe('token-1')
    await expect(source.getToken({ signal: controller.signal })).rejects.toThrow('gone')
  })
})

describe('an answer', () => {
  const big = JSON.stringify({ ...token(1), padding: 'x'.repeat(70_000) })
  it.each<[string, number, unknown, Record<string, unknown>]>([
    ['unknown client', 401, { error: 'invalid_client' }, { code: 'client_refused', oauthError: 'invalid_client' }],
    ['client may not', 400, { error: 'unauthorized_client' }, { code: 'client_refused' }],
    [
      'bad grant',
      400,
      { error: 'invalid_grant', error_description: 'spent' },
      { code: 'grant_refused', message: /spent/u },
    ],
    ['bad scope', 400, { error: 'invalid_scope' }, { code: 'request_refused', oauthError: 'invalid_scope' }],
    ['bad target', 400, { error: 'invalid_target' }, { code: 'request_refused' }],
    ['out of order', 400, { error: 'temporarily_unavailable' }, { code: 'unavailable' }],
    ['no JSON', 200, 'hello', { code: 'answer_invalid' }],
    ['no token', 200, { token_type: 'Bearer' }, { code: 'answer_invalid' }],
    ['empty token', 200, { access_token: '', token_type: 'Bearer' }, { code: 'answer_invalid' }],
    ['no type', 200, { access_token: 'x' }, { code: 'answer_invalid' }],
    ['type of another kind', 200, { access_token: 'x', token_type: 'N_A' }, { code: 'answer_invalid' }],
    ['sender-bound token', 200, { access_token: 'x', token_type: 'DPoP' }, { code: 'answer_invalid' }],
    ['life in words', 200, { access_token: 'x', token_type: 'Bearer', expires_in: 'long' }, { code: 'answer_invalid' }],
    [
      'life below nothing',
      200,
      { access_token: 'x', token_type: 'Bearer', expires_in: -5 },
      { code: 'answer_invalid' },
    ],
    ['too big', 200, big, { code: 'unavailable' }],
    ['redirect', 302, '', { code: 'answer_invalid' }],
    ['no content', 204, '', { code: 'answer_invalid' }],
    ['error page', 404, '<html>', { code: 'answer_invalid' }],
  ])('%s: %i', async (_name, status, body, expected) => {
    const { server, source } = await world()
    server.reply = (_asked, response) => send(response, status, body, { location: `${server.issuer}/elsewhere` })
    const { message, ...rest } = expected
    const error: unknown = await source.getToken().catch((caught: unknown) => caught)
    expect(error).toMatchObject(rest)
    if (message instanceof RegExp) expect(String(error)).toMatch(message)
    expect(server.paths).not.toContain('/elsewhere')
  })

  it('that shows what was sent does not get into the error', async () => {
    const { server, source } = await world()
    server.reply = (_asked, response) =>
      send(response, 400, { error: 'invalid_request', error_description: 'got a secret, scope agents:read' })
    await expect(source.getToken()).rejects.toThrow(/^the token endpoint answered invalid_request$/u)
  })

  it('with control characters is one plain line in the error', async () => {
    const { server, source } = await world()
    const error_description = `a\u001b[31m\nb${'c'.repeat(300)}`
    server.reply = (_asked, response) => send(response, 400, { error: 'invalid_request', error_description })
    const error: unknown = await source.getToken().catch((caught: unknown) => caught)
    expect(String(error)).toMatch(/^TokenSourceError: [\x20-\x7e]{1,260}$/u)
  })

  it('that never comes is waited for as long as the limit says', async () => {
    const { server, source } = await world({ timeoutMs: 100 })
    server.reply = () => undefined
    await expect(source.getToken()).rejects.toMatchObject({ code: 'unavailable', message: /within 100 ms/u })
  })
})

describe('the metadata', () => {
  it.each<[string, (issuer: string) => { status?: number; body: unknown }, string]>([
    [
      'of another issuer',
      (issuer) => ({ body: { issuer: `${issuer}/other`, token_endpoint: issuer } }),
      'answer_invalid',
    ],
    ['without a token endpoint', (issuer) => ({ body: { issuer } }), 'answer_invalid'],
    [
      'with one over http',
      (issuer) => ({ body: { issuer, token_endpoint: 'http://example.com/token' } }),
      'answer_invalid',
    ],
    ['that is no JSON', () => ({ body: '<html>' }), 'answer_invalid'],
    ['missing', () => ({ status: 404, body: {} }), 'answer_invalid'],
    ['out of order', () => ({ status: 503, body: {} }), 'unavailable'],
  ])('%s', async (_name, metadata, code) => {
    const { server, source } = await world()
    server.metadata = metadata
    await expect(source.getToken()).rejects.toMatchObject({ code })
    expect(server.asked).toHaveLength(0)
  })

  it.each<[string[] | undefined, 'header' | 'body']>([
    [undefined, 'header'],
    [['client_secret_basic', 'client_secret_post'], 'header'],
    [['client_secret_post'], 'body'],
    [['private_key_jwt'], 'header'],
  ])('that offers %j has the secret sent in the %s', async (methods, where) => {
    const { server, source } = await world()
    server.metadata = (issuer) => ({
      body: { issuer, token_endpoint: `${issuer}/t`, token_endpoint_auth_methods_supported: methods },
    })
    await source.getToken()
    const [asked] = server.asked
    expect(asked?.form.get('client_secret')).toBe(where === 'body' ? 'a secret' : null)
    const sent = atob(asked?.authorization?.replace('Basic ', '') ?? '').replaceAll('+', ' ')
    expect(decodeURIComponent(sent)).toBe(where === 'header' ? 'nightly-etl:a secret' : '')
  })

  it.each([
    ['nightly-etl', 'a_secret.of*ours', 'nightly-etl:a_secret.of*ours'],
    [
      'https://etl.example.com/',
      'with space, 50 % é:+',
      'https%3A%2F%2Fetl.example.com%2F:with+space%2C+50+%25+%C3%A9%3A%2B',
    ],
  ])('has %s sent as form encoding says, and no more encoded than that', async (id, secret, sent) => {
    const server = await scriptedServer()
    const source = createTokenSource({
      issuer: server.issuer,
      client: { id, secret },
      grant: { type: 'client_credentials' },
    })
    await source.getToken()
    expect(server.asked[0]?.authorization).toBe(`Basic ${btoa(sent)}`)
    source.close()
  })

  it('is not needed where the token endpoint is told', async () => {
    const server = await scriptedServer()
    const source = createTokenSource({
      issuer: server.issuer,
      tokenEndpoint: `${server.issuer}/token`,
      client: { id: 'x' },
      grant: { type: 'client_credentials' },
    })
    expect(await source.getToken()).toBe('token-1')
    expect(server.paths).toEqual(['/token'])
    source.close()
  })
})

describe('an option', () => {
  const good: TokenSourceOptions = {
    issuer: 'https://auth.example.com',
    client: { id: 'x', secret: 'y' },
    grant: { type: 'client_credentials' },
  }
  it.each<[string, Partial<TokenSourceOptions>]>([
    ['http issuer', { issuer: 'http://auth.example.com' }],
    ['no URL', { issuer: 'auth' }],
    ['credentials in the URL', { issuer: 'https://a:b@auth.example.com' }],
    ['http token endpoint', { tokenEndpoint: 'http://auth.example.com/token' }],
    ['ftp', { tokenEndpoint: 'ftp://127.0.0.1/token' }],
    ['no client', { client: { id: '' } }],
    ['empty secret', { client: { id: 'x', secret: '' } }],
    ['secret and key', { client: { id: 'x', secret: 'y', privateKey: { kty: 'OKP' } } }],
    ['no time', { timeoutMs: 99 }],
    ['too much time', { timeoutMs: 60_001 }],
    ['no bytes', { maxBytes: 1_023 }],
    ['too many bytes', { maxBytes: 1_048_577 }],
    ['negative patience', { patienceMs: -1 }],
    ['endless patience', { patienceMs: 600_001 }],
    ['not a number', { patienceMs: Number.NaN }],
    ['no life', { defaultLifeSeconds: 0 }],
    ['unknown grant', { grant: { type: 'password' } as never }],
  ])('%s is refused at once', (_name, options) => {
    expect(() => createTokenSource({ ...good, ...options })).toThrow(expect.objectContaining({ code: 'bad_option' }))
  })

  it.each(['http://127.0.0.1:4600', 'http://[::1]:4600', 'http://localhost:4600', 'https://auth.example.com'])(
    '%s is fine',
    (issuer) => {
      expect(() => createTokenSource({ ...good, issuer })).not.toThrow()
    },
  )
})
