import { call, describeMessages, describeRoutes, type Served } from '@countersign-apps/kit/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { messages } from '../src/chat-sockets.ts'
import { consumer } from '../src/index.ts'
import { makeToken, startApi, type World } from './fixtures.ts'

let api: World
beforeAll(async () => {
  api = await startApi({
    support: { ask: async () => ({ expiresAt: 1 }), close: () => undefined },
    checkout: { bill: async () => ({ id: 'job-1', state: 'queued' }), close: () => undefined },
  })
})
afterAll(() => api.close())

const begun = async (): Promise<unknown> => {
  const { body } = await api.call('POST', '/chat', { token: makeToken(), body: { message: 'hello' } })
  return body.conversation
}

const declared = await startApi()
await declared.close()

const served = (): Pick<Served, 'call'> => ({ call: (...args) => call(api.origin, ...args) })

describeRoutes(
  {
    consumer,
    routes: declared.routes,
    served,
    token: makeToken,
    samples: {
      'GET /whoami': async () => ({}),
      'GET /agents': async () => ({}),
      'GET /agents/:id': async () => ({ path: '/agents/concierge' }),
      'POST /agents': async () => ({ body: { name: 'Guide' } }),
      'POST /chat': async () => ({ body: { message: 'hello' } }),
      'GET /conversations': async () => ({}),
      'GET /conversations/:id': async () => ({ path: `/conversations/${await begun()}` }),
      'DELETE /conversations/:id': async () => ({ path: `/conversations/${await begun()}` }),
      'GET /tools': async () => ({}),
      'POST /tools/:name': async () => ({ path: '/tools/count-words', body: { text: 'one two' } }),
      // A service's own token.
      'GET /usage': async () => ({ path: '/usage?after=0&limit=10', sub: 'web' }),
      'POST /support': async () => ({ body: { note: 'help' } }),
      'POST /checkout': async () => ({ body: { order: 'order-1', plan: 'team' } }),
    },
  },
  { describe, it },
)

describeMessages(
  {
    consumer,
    messages,
    url: () => `${api.origin}/chat`,
    token: makeToken,
    samples: { 'chat.send': async () => ({ message: 'hello' }) },
  },
  { describe, it },
)

it('is noticed where a message asks for another scope than it says', async () => {
  const failed: string[] = []
  const tests: Promise<unknown>[] = []
  describeMessages(
    {
      consumer,
      messages: { 'chat.send': ['agents:read'] },
      url: () => `${api.origin}/chat`,
      token: makeToken,
      samples: { 'chat.send': async () => ({ message: 'hello' }) },
    },
    {
      describe: (_name, body) => body(),
      it: (name, body) => tests.push(body().catch(() => failed.push(name))),
    },
  )
  await Promise.all(tests)
  expect(failed.sort()).toEqual([
    'is answered to a token with its scope and no other',
    'is refused to a token with every scope but its own',
  ])
})

it('lets no answer be kept', async () => {
  for (const [path, token] of [
    ['/agents', makeToken()],
    ['/agents', undefined],
    ['/nowhere', undefined],
  ] as const) {
    expect((await api.call('GET', path, { token })).headers.get('cache-control')).toBe('no-store')
  }
})
