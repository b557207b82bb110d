import { createHash } from 'node:crypto'
import express from 'express'
import { afterEach, describe, expect, it } from 'vitest'
import { type IssuerRoutesOptions, issuerRoutes } from '../src/express.ts'
import { issuerErrorCodes } from '../src/index.ts'
import { consumers, jsonOf, type Service, type ServiceOptions, startService, storageError } from './service.ts'

let service: Service
afterEach(() => service.close())
async function start(options: ServiceOptions = {}): Promise<void> {
  service = await startService(options)
}
const get = (path: string, init: RequestInit = {}) => fetch(service.url + path, init)

describe('metadata', () => {
  it('is the same document at both well-known paths, with the issuer byte for byte', async () => {
    await start()
    const texts = await Promise.all(
      ['oauth-authorization-server', 'openid-configuration'].map(async (name) => {
        const answer = await get(`/.well-known/${name}`)
        expect(answer.headers.get('content-type')).toBe('application/json')
        expect(answer.headers.get('access-control-allow-origin')).toBe('*')
        return answer.text()
      }),
    )
    expect(texts[0]).toBe(texts[1])
    const methods = ['client_secret_basic', 'client_secret_post', 'private_key_jwt']
    expect(JSON.parse(texts[0] ?? '')).toEqual({
      issuer: service.url,
      authorization_endpoint: `${service.url}/oauth/authorize`,
      token_endpoint: `${service.url}/oauth/token`,
      jwks_uri: `${service.url}/.well-known/jwks.json`,
      revocation_endpoint: `${service.url}/oauth/revoke`,
      introspection_endpoint: `${service.url}/oauth/introspect`,
      response_types_supported: [],
      grant_types_supported: ['client_credentials', 'refresh_token', 'urn:ietf:params:oauth:grant-type:token-exchange'],
      token_endpoint_auth_methods_supported: [...methods, 'none'],
      token_endpoint_auth_signing_alg_values_supported: ['EdDSA', 'Ed25519'],
      revocation_endpoint_auth_methods_supported: [...methods, 'none'],
      revocation_endpoint_auth_signing_alg_values_supported: ['EdDSA', 'Ed25519'],
      introspection_endpoint_auth_methods_supported: methods,
      introspection_endpoint_auth_signing_alg_values_supported: ['EdDSA', 'Ed25519'],
      scopes_supported: [
        'agents:read',
        'chat:write',
        'jobs:run',
        'kiosk:use',
        'pages:read',
        'reports:read',
        'reports:write',
      ],
      countersign_sign_in_endpoint: `${service.url}/auth/sign-in`,
      countersign_sign_out_endpoint: `${service.url}/auth/sign-out`,
      countersign_status_endpoint: `${service.url}/auth/status`,
    })
  })

  it('of an issuer with a path is where RFC 8414 and OpenID look, and so are the routes', async () => {
    await start({ issuerPath: '/tenant-1' })
    for (const path of [
      '/.well-known/oauth-authorization-server/tenant-1',
      '/tenant-1/.well-known/oauth-authorization-server',
      '/tenant-1/.well-known/openid-configuration',
    ]) {
      expect((await jsonOf(await get(path))).issuer).toBe(`${service.url}/tenant-1`)
    }
    expect((await get('/tenant-1/.well-known/jwks.json')).status).toBe(200)
    expect((await get('/.well-known/jwks.json')).status).toBe(404)
  })

  it('says that there is no authorization endpoint yet', async () => {
    await start()
    const answer = await get('/oauth/authorize?response_type=code&client_id=x&redirect_uri=https://evil.example', {
      redirect: 'manual',
    })
    expect(answer.status).toBe(400)
    expect((await jsonOf(answer)).error).toBe('unsupported_response_type')
  })
})

describe('the JWKS', () => {
  it("carries the ring's headers, and answers 304 and HEAD", async () => {
    await start()
    const answer = await get('/.well-known/jwks.json')
    const body = await answer.text()
    expect(JSON.parse(body)).toEqual(service.rings[0]?.jwks.document)
    expect(body).not.toContain('"d"')
    expect(answer.headers.get('content-type')).toBe('application/jwk-set+json')
    expect(answer.headers.get('cache-control')).toBe(
      'public, max-age=300, stale-while-revalidate=60, stale-if-error=600',
    )
    expect(answer.headers.get('access-control-allow-origin')).toBe('*')
    const etag = answer.headers.get('etag') ?? ''
    expect(etag).toMatch(/^"[\w-]+"$/)
    for (const asked of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const again = await get('/.well-known/jwks.json', { headers: { 'if-none-match': asked } })
      expect([again.status, await again.text(), again.headers.get('etag')]).toEqual([304, '', etag])
      expect(again.headers.get('cache-control')).toContain('max-age=300')
    }
    expect((await get('/.well-known/jwks.json', { headers: { 'if-none-match': '"other"' } })).status).toBe(200)
    const head = await get('/.well-known/jwks.json', { method: 'HEAD' })
    expect([head.status, await head.text(), head.headers.get('etag')]).toEqual([200, '', etag])
    expect(head.headers.get('content-length')).toBe(String(body.length))
  })

  it('joins all rings, and a token of each algorithm counts', async () => {
    const matrix = {
      consumers: {
        ...consumers.consumers,
        'old-service': { ...consumers['analytics-service'], audience: 'old-service', algorithm: 'ES256' as const },
      },
      edges: [],
    }
    await start({ algorithms: ['EdDSA', 'ES256'], matrix })
    const answer = await get('/.well-known/jwks.json')
    const body = await answer.text()
    const algorithms = JSON.parse(body).keys.map(({ alg }: { alg: string }) => alg)
    expect(new Set(algorithms)).toEqual(new Set(['EdDSA', 'ES256']))
    expect(answer.headers.get('etag')).toBe(`"${createHash('sha256').update(body).digest('base64url')}"`)
    const client = await service.client({ audiences: ['agent-api', 'old-service'] })
    const credentials = { method: 'client_secret_post', clientId: client.id, secret: client.secret } as const
    for (const [audience, algorithm] of [
      ['agent-api', 'EdDSA'],
      ['old-service', 'ES256'],
    ] as const) {
      const { accessToken } = await service.issuer.clientCredentials({ client: credentials, audience })
      const header = JSON.parse(Buffer.from(accessToken.split('.')[0] ?? '', 'base64url').toString())
      expect(header.alg).toBe(algorithm)
      expect(await service.issuer.introspect({ client: credentials, token: accessToken })).toMatchObject({
        active: true,
      })
    }
  })
})

describe('health and readiness', () => {
  it('is alive and ready', async () => {
    await start()
    expect(await jsonOf(await get('/healthz'))).toEqual({ status: 'ok' })
    const ready = await get('/readyz')
    expect([ready.status, await ready.json()]).toEqual([200, { status: 'ready', checks: { store: 'ok', keys: 'ok' } }])
  })

  it('is not ready, but alive, when the store fails', async () => {
    await start()
    Object.assign(service.stores, { check: () => Promise.reject(storageError('io_error')) })
    const ready = await get('/readyz')
    expect([ready.status, await ready.json()]).toEqual([
      503,
      { status: 'unready', checks: { store: 'failed', keys: 'ok' } },
    ])
    expect((await get('/healthz')).status).toBe(200)
  })

  it('is not ready when the store does not answer within 2 s', async () => {
    await start()
    Object.assign(service.stores, { check: () => new Promise(() => {}) })
    const asked = get('/readyz')
    // The request has to arrive before the time passes.
    await new Promise((resolve) => service.server.once('request', resolve))
    await new Promise((resolve) => setImmediate(resolve))
    service.clock.pass(2)
    expect((await asked).status).toBe(503)
  })

  it('looks at the store at most twice a second, whoever asks', async () => {
    await start()
    let looks = 0
    const countLook = async (): Promise<void> => {
      looks += 1
    }
    Object.assign(service.stores, { check: countLook })
    for (let asked = 0; asked < 5; asked += 1) await get('/readyz')
    expect(looks).toBe(1)
    service.clock.pass(1)
    await get('/readyz')
    expect(looks).toBe(2)
  })

  it('is not ready when no key can sign', async () => {
    await start()
    await service.rings[0]?.close()
    expect(await jsonOf(await get('/readyz'))).toMatchObject({ status: 'unready', checks: { keys: 'failed' } })
  })

  it("asks the composition's own checks too", async () => {
    let also: 'ready' | 'degraded' | 'throws' = 'degraded'
    const ready = async () => {
      if (also === 'throws') throw new Error('boom')
      return { status: also, checks: { audit: also } }
    }
    await start({ routes: { ready } })
    expect([(await get('/readyz')).status, (await jsonOf(await get('/readyz'))).status]).toEqual([200, 'degraded'])
    also = 'throws'
    expect((await get('/readyz')).status).toBe(503)
  })
})

describe('the routes', () => {
  it('answer 404 in JSON for what is not there, without saying it back', async () => {
    await start()
    for (const path of [
      '/',
      '/nothing-here',
      '/oauth',
      '/oauth/token/',
      '/OAUTH/TOKEN',
      '//oauth/token',
      '/oauth/%74oken',
      '/__proto__',
    ]) {
      const answer = await get(path)
      const text = await answer.text()
      expect([path, answer.status, JSON.parse(text).error]).toEqual([path, 404, 'invalid_request'])
      expect(text).not.toContain('nothing-here')
    }
  })

  it.each([
    ['/oauth/token', 'GET', 'POST, OPTIONS'],
    ['/oauth/token', 'PUT', 'POST, OPTIONS'],
    ['/oauth/revoke', 'DELETE', 'POST, OPTIONS'],
    ['/auth/sign-in', 'GET', 'POST, OPTIONS'],
    ['/.well-known/jwks.json', 'POST', 'GET, HEAD, OPTIONS'],
    ['/healthz', 'PATCH', 'GET, HEAD, OPTIONS'],
  ])('%s does not take %s', async (path, method, allow) => {
    await start()
    const answer = await get(path, { method })
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, allow])
    expect(answer.headers.get('content-type')).toBe('application/json')
  })

  it('lead from each error_uri to its code', async () => {
    await start()
    const page = await (await get('/oauth/errors')).text()
    for (const code of issuerErrorCodes) expect(page).toContain(`id="${code}"`)
  })

  it('lead to a documentation site where one is configured', async () => {
    await start({ routes: { errorsUrl: 'https://docs.example.com/errors' } })
    const { error_uri } = await jsonOf(await get('/oauth/token', { method: 'POST' }))
    expect(error_uri).toBe('https://docs.example.com/errors#invalid_request')
  })

  it.each([
    [{ trustedProxyHops: -1 }],
    [{ trustedProxyHops: 1.5 }],
    [{ basePath: 'auth' }],
    [{ basePath: '/auth/' }],
    [{ errorsUrl: 'nowhere' }],
    [{ colour: 'blue' }],
  ])('refuse the options %o', async (options) => {
    await start()
    expect(() => issuerRoutes(service.issuer, options as IssuerRoutesOptions)).toThrow(
      expect.objectContaining({ code: 'invalid_option' }),
    )
  })
})

describe('in Express', () => {
  it('the handler serves its routes and passes on the rest', async () => {
    await start({
      wrap: (handler) => {
        const app = express()
        app.use(handler)
        app.get('/mine', (_request, response) => {
          response.json({ mine: true })
        })
        return (request, response) => app(request, response)
      },
    })
    const { id, secret } = await service.client()
    const answer = await service.post('/oauth/token', {
      grant_type: 'client_credentials',
      client_id: id,
      client_secret: secret,
    })
    expect(answer.status).toBe(200)
    expect(await jsonOf(await get('/mine'))).toEqual({ mine: true })
    expect((await get('/nothing')).status).toBe(404)
    expect((await get('/oauth/token')).status).toBe(405)
  })

  it('the handler can be mounted at the path of its issuer', async () => {
    await start({
      issuerPath: '/auth-service',
      wrap: (handler) => {
        const app = express()
        app.use('/auth-service', handler)
        return (request, response) => app(request, response)
      },
    })
    expect((await jsonOf(await get('/auth-service/.well-known/openid-configuration'))).issuer).toBe(
      service.issuer.issuer,
    )
  })

  it('a body parser in front is a fault that says so, never a hanging request', async () => {
    await start({
      wrap: (handler) => {
        const app = express()
        app.use(express.urlencoded(), handler)
        return (request, response) => app(request, response)
      },
    })
    const answer = await service.post('/oauth/token', { grant_type: 'client_credentials' })
    expect([answer.status, answer.body.error]).toEqual([500, 'server_error'])
    expect(service.events).toContainEqual({
      type: 'fault',
      part: 'http',
      error: expect.objectContaining({ message: expect.stringContaining('before any body parser') }),
    })
  })
})
