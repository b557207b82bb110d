import { defineConsumers } from '@countersign/consumers'
import type { DeclaredRoute } from '@countersign/express'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createConsumerApp, jsonBody, Problem, startConsumer } from '../src/index.ts'
import { call, describeRoutes, type Served, serve, testIssuer } from '../src/testing.ts'

const consumer = defineConsumers({
  orders: {
    scopes: ['orders:read', 'orders:write'],
    obtainedBy: 'client-credentials',
    resource: 'http://127.0.0.1:4699',
  },
}).orders
const issuer = await testIssuer(consumer)
const faults: unknown[] = []
const { app, routes } = createConsumerApp(
  { guard: issuer.guard, realm: 'orders', onFault: (error) => faults.push(error) },
  ({ router }) => {
    router.get('/orders', 'orders:read', (_req, res) => void res.json([]))
    router.post('/orders', 'orders:write', ...jsonBody(64), (req, res) => void res.status(201).json(req.body))
    router.get('/broken', 'token', () => {
      throw new Error('secret detail')
    })
    router.get('/full', 'token', () => {
      throw new Problem('limit_reached', 'There are enough.')
    })
  },
)
let served: Served
beforeAll(async () => {
  served = await serve(app)
})
afterAll(() => served.close())

describe('the routes of a consumer', () => {
  const samples = {
    'GET /whoami': async () => ({}),
    'GET /orders': async () => ({}),
    'POST /orders': async () => ({ body: { id: 1 } }),
  }
  const tested = routes.filter(({ path }) => path !== '/broken' && path !== '/full')
  describeRoutes({ consumer, routes: tested, served: () => served, token: issuer.token, samples }, { describe, it })
})

describe('the test over all routes', () => {
  const told = { consumer, served: () => served, token: issuer.token, samples: { 'GET /orders': async () => ({}) } }
  /** Which of its tests fail, by name. */
  async function failing(routes: readonly DeclaredRoute<keyof typeof consumer.scopes>[]): Promise<string[]> {
    const tests: { readonly name: string; readonly body: () => Promise<void> }[] = []
    const it = (name: string, body: () => Promise<void>) => tests.push({ name, body })
    describeRoutes({ ...told, routes }, { describe: (_name, body) => body(), it })
    const failed: string[] = []
    for (const { name, body } of tests) await body().catch(() => failed.push(name))
    return failed
  }

  it.each([
    ['asks for another scope than it says', { method: 'GET', path: '/orders', scopes: ['orders:write'] }, 3],
    ['lets anybody in', { method: 'GET', path: '/healthz', scopes: ['orders:read'] }, 5],
    ['was forgotten', { method: 'POST', path: '/orders', scopes: ['orders:write'] }, 5],
  ] as const)('notices one that %s', async (_what, route, count) => {
    expect(await failing([route])).toHaveLength(count)
  })
})

it.each([
  ['GET', '/nowhere', undefined, 404, 'not_found'],
  ['GET', '/%ff', undefined, 404, 'not_found'],
  ['POST', '/orders', 'x'.repeat(100), 413, 'too_large'],
  ['GET', '/full', undefined, 409, 'limit_reached'],
])('%s %s answers a problem', async (method, path, body, status, code) => {
  const answer = await served.call(method, path, { token: issuer.token(), ...(body === undefined ? {} : { body }) })
  expect(answer).toMatchObject({ status, body: { error: code } })
})

it.each([
  [{ 'content-type': 'application/json' }, '{', 400],
  [{ 'content-type': 'text/plain' }, '{}', 415],
  [{ 'content-type': 'application/json', 'content-encoding': 'gzip' }, '{}', 415],
])('a body with %j %s answers %i', async (headers, body, status) => {
  const init = { method: 'POST', body, headers: { ...headers, authorization: `Bearer ${issuer.token()}` } }
  expect((await fetch(`${served.origin}/orders`, init)).status).toBe(status)
})

it('reports a fault and tells nothing of it', async () => {
  const answer = await served.call('GET', '/broken', { token: issuer.token() })
  expect([answer.status, answer.text]).toEqual([500, expect.not.stringContaining('secret')])
  expect(String(faults.at(-1))).toContain('secret detail')
})

describe('a start', () => {
  const options = { issuer: 'http://127.0.0.1:9', port: 0, logDestination: { write: () => true } }

  it('serves, and ends what it was given in reverse, the server first', async () => {
    const ended: string[] = []
    const running = await startConsumer(options, {
      consumer,
      usualPort: 4699,
      make({ url, server, onClose }) {
        server.on('close', () => ended.push('server'))
        onClose({ close: () => ended.push('first') })
        onClose({ close: () => ended.push('second') })
        return (_request, response) => response.end(url)
      },
    })
    expect((await call(running.url, 'GET', '/')).text).toBe(running.url)
    await running.close()
    expect(ended).toEqual(['server', 'second', 'first'])
  })

  it('leaves nothing open when a part cannot start', async () => {
    const ended: string[] = []
    let server: import('node:http').Server | undefined
    const starting = startConsumer(options, {
      consumer,
      usualPort: 4699,
      make(context) {
        server = context.server
        context.onClose({ close: () => ended.push('part') })
        throw new Error('no disk')
      },
    })
    await expect(starting).rejects.toThrow('no disk')
    expect([ended, server?.listening]).toEqual([['part'], false])
  })

  it('says when its port is taken', async () => {
    const taken = await serve((_request, response) => response.end())
    const port = Number(new URL(taken.origin).port)
    const starting = startConsumer({ ...options, port }, { consumer, usualPort: 1, make: () => () => undefined })
    await expect(starting).rejects.toMatchObject({ code: 'address_unavailable' })
    await taken.close()
  })

  it('serves metrics beside', async () => {
    const running = await startConsumer(
      { ...options, metricsPort: 0 },
      { consumer, usualPort: 1, make: () => (_req, res) => res.end() },
    )
    expect((await (await fetch(running.metricsUrl ?? '')).text()).length).toBeGreaterThan(100)
    await running.close()
  })
})
