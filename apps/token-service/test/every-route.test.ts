import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createDataDir, type RunningTokenService, resolveConfig, startTokenService } from '@countersign/server'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { consumers } from '../src/index.ts'

const password = 'correct horse battery'
const basic = (id: string, secret: string): string => `Basic ${btoa(`${id}:${secret}`)}`
const form = (fields: Record<string, string>) => new URLSearchParams(fields)

let folder: string
let service: RunningTokenService
let metrics: string
/** May get tokens for itself. */
let batch: string
/** Named like a consumer. */
let worker: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'countersign-token-service-'))
  const config = await resolveConfig(
    {
      issuer: 'http://127.0.0.1:4600',
      port: 0,
      consumers,
      metrics: { port: 0 },
      trustedProxyHops: 1,
      log: { level: 'silent' },
    },
    { baseDir: folder, env: {} },
  )
  await createDataDir(config)
  service = await startTokenService(config)
  metrics = await (await fetch(service.metricsUrl ?? '')).text()
  const { users, clients } = service.issuer
  await users.add({ identifier: 'ada', password })
  const audiences = ['agent-api']
  await clients.add({ name: 'web', type: 'public', grants: ['sign_in'], audiences })
  const account = async (name: string, to: readonly string[]) =>
    (await clients.add({ name, grants: ['client_credentials'], audiences: to })).secret ?? ''
  batch = await account('batch', audiences)
  worker = await account('billing-worker', ['billing-worker'])
})
afterAll(async () => {
  await service.close()
  await rm(folder, { recursive: true })
})

interface Answer {
  readonly status: number
  readonly error: unknown
}

let calls = 0

async function call(route: string, init: RequestInit = {}): Promise<Answer> {
  const [method = '', path = ''] = route.split(' ')
  const stop = new AbortController()
  // Each from an address of its own: failures of one are counted together.
  const headers = { ...init.headers, 'x-forwarded-for': `192.0.2.${++calls}` }
  const url = service.url.replace(/\/$/, '') + path
  const response = await fetch(url, { ...init, method, headers, signal: stop.signal })
  const { status } = response
  const isJson = response.headers.get('content-type')?.startsWith('application/json') === true
  const body: { error?: unknown } = isJson ? ((await response.json()) as object) : {}
  if (status === 401) expect(response.headers.get('www-authenticate')).toMatch(/^(Basic|Bearer) /)
  // The stream has no end of its own.
  stop.abort()
  return { status, error: body.error }
}

const token = async (name: string, secret: string, audience: string): Promise<string> => {
  const init = {
    headers: { authorization: basic(name, secret) },
    body: form({ grant_type: 'client_credentials', audience }),
  }
  const response = await fetch(`${service.url.replace(/\/$/, '')}/oauth/token`, { method: 'POST', ...init })
  return ((await response.json()) as { access_token: string }).access_token
}
const json = (body: object, headers: Record<string, string> = {}): RequestInit => ({
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify(body),
})

/** For everybody: what each answers to who shows nothing. */
const open: Readonly<Record<string, number>> = {
  'GET /.well-known/oauth-authorization-server': 200,
  'GET /.well-known/openid-configuration': 200,
  'GET /.well-known/jwks.json': 200,
  'GET /auth/status': 200,
  'GET /revocations': 200,
  'GET /revocations/stream': 200,
  'GET /revocations/jwks.json': 200,
  'GET /healthz': 200,
  'GET /readyz': 200,
}

/** For clients that authenticate: what each takes, and what it answers then. */
const forClients: Readonly<Record<string, { readonly body: Record<string, string>; readonly status: number }>> = {
  'POST /oauth/token': { body: { grant_type: 'client_credentials', audience: 'agent-api' }, status: 200 },
  'POST /oauth/revoke': { body: { token: 'unknown' }, status: 200 },
  'POST /oauth/introspect': { body: { token: 'unknown' }, status: 200 },
}

it('knows of every route that the service counts, and of no other', () => {
  const counted = [...metrics.matchAll(/_http_request_duration_seconds_count\{method="(\w+)",route="([^"]+)"/g)]
    .map(([, method, route]) => `${method} ${route}`)
    .filter((route) => !route.startsWith('other'))
  const tested = [
    ...Object.keys(open),
    ...Object.keys(forClients),
    'POST /auth/sign-in',
    'POST /auth/sign-out',
    'POST /consumers/ack',
  ]
  expect([...new Set(counted)].sort()).toEqual(tested.sort())
})

describe('routes for everybody', () => {
  it.each(Object.entries(open))('%s answers %i', async (route, status) => {
    expect((await call(route)).status).toBe(status)
  })
})

describe.each(Object.entries(forClients))('%s', (route, { body, status }) => {
  it('answers 401 to nobody, to a stranger, and to a wrong secret', async () => {
    const shown = [{}, { authorization: basic('nobody', 'secret') }, { authorization: basic('batch', 'wrong') }]
    for (const headers of shown) {
      expect(await call(route, { headers, body: form(body) })).toEqual({ status: 401, error: 'invalid_client' })
    }
  })

  it('answers 401 to an access token, which is for consumers', async () => {
    const authorization = `Bearer ${await token('batch', batch, 'agent-api')}`
    const answer = await call(route, { headers: { authorization }, body: form(body) })
    expect([400, 401]).toContain(answer.status)
  })

  it(`answers ${status} to a client with its secret`, async () => {
    const headers = { authorization: basic('batch', batch) }
    expect((await call(route, { headers, body: form(body) })).status).toBe(status)
  })
})

describe('POST /oauth/token', () => {
  const asBatch = (body: Record<string, string>) =>
    call('POST /oauth/token', { headers: { authorization: basic('batch', batch) }, body: form(body) })

  it.each([
    ['an audience that is not the client’s', { audience: 'billing-worker' }, 'invalid_target'],
    ['an audience that is nobody’s', { audience: 'nobody' }, 'invalid_target'],
    ['a scope that is another audience’s', { audience: 'agent-api', scope: 'reports:read' }, 'invalid_scope'],
    [
      'a grant that the client does not have',
      { grant_type: 'refresh_token', refresh_token: 'x' },
      /unauthorized_client|invalid_grant/,
    ],
  ])('refuses %s', async (_what, fields, error) => {
    const answer = await asBatch({ grant_type: 'client_credentials', ...fields })
    expect(answer).toEqual({ status: 400, error: expect.stringMatching(error) })
  })
})

describe('POST /auth/sign-in', () => {
  const signIn = (fields: object) =>
    call('POST /auth/sign-in', json({ identifier: 'ada', secret: password, client_id: 'web', ...fields }))

  it('answers 200 to a person through a first-party app, and to nobody else', async () => {
    expect((await signIn({})).status).toBe(200)
    expect(await signIn({ secret: 'wrong' })).toEqual({ status: 400, error: 'invalid_grant' })
    expect((await signIn({ client_id: 'nobody' })).status).toBe(401)
    expect((await signIn({ client_id: 'batch' })).status).toBe(401)
    expect(await signIn({ audience: 'support-console' })).toEqual({ status: 400, error: 'invalid_target' })
    expect(await signIn({ scope: 'reports:read' })).toEqual({ status: 400, error: 'invalid_scope' })
  })
})

describe('POST /auth/sign-out', () => {
  it('answers the same to nobody, and to a token that is none', async () => {
    expect((await call('POST /auth/sign-out', json({}))).status).toBe(200)
    expect((await call('POST /auth/sign-out', json({}, { authorization: 'Bearer x.y.z' }))).status).toBe(200)
  })
})

describe('POST /consumers/ack', () => {
  const ack = (authorization?: string, consumer = 'billing-worker') => {
    const held = { consumer, instance: 'one', kids: [], position: { epoch: 1, seq: 0 } }
    return call('POST /consumers/ack', json(held, authorization === undefined ? {} : { authorization }))
  }

  it('answers 401 to nobody, a wrong secret and a token that is none; 403 to another consumer’s; 204 to its own', async () => {
    expect((await ack()).status).toBe(401)
    expect((await ack(basic('billing-worker', 'wrong'))).status).toBe(401)
    expect((await ack('Bearer x.y.z')).status).toBe(401)
    expect((await ack(basic('batch', batch))).status).toBe(403)
    expect((await ack(`Bearer ${await token('batch', batch, 'agent-api')}`)).status).toBe(403)
    expect((await ack(basic('billing-worker', worker), 'agent-api')).status).toBe(403)
    expect((await ack(basic('billing-worker', worker))).status).toBe(204)
    expect((await ack(`Bearer ${await token('billing-worker', worker, 'billing-worker')}`)).status).toBe(204)
  })
})
