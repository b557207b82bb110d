import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { consumer } from '../src/index.ts'
import { everyScope, makeToken, startApi, type World } from './fixtures.ts'

/** How each route is called as it should be; a route that is not here fails its test. */
const samples: Record<string, (api: World) => Promise<{ path: string; body?: unknown; as?: { sub: string } }>> = {
  'GET /whoami': async () => ({ path: '/whoami' }),
  'GET /agents': async () => ({ path: '/agents' }),
  'GET /agents/:id': async () => ({ path: '/agents/concierge' }),
  'POST /agents': async () => ({ path: '/agents', body: { name: 'Guide' } }),
  'POST /chat': async () => ({ path: '/chat', body: { message: 'hello' } }),
  'GET /conversations': async () => ({ path: '/conversations' }),
  'GET /conversations/:id': async (api) => ({ path: `/conversations/${await begun(api)}` }),
  'DELETE /conversations/:id': async (api) => ({ path: `/conversations/${await begun(api)}` }),
  'GET /tools': async () => ({ path: '/tools' }),
  'POST /tools/:name': async () => ({ path: '/tools/count-words', body: { text: 'one two' } }),
  'GET /usage': async () => ({ path: '/usage?after=0&limit=10', as: { sub: 'web' } }),
  'POST /support': async () => ({ path: '/support', body: { note: 'help' } }),
  'POST /checkout': async () => ({ path: '/checkout', body: { order: 'order-1', plan: 'team' } }),
}

async function begun(api: World): Promise<unknown> {
  const { body } = await api.call('POST', '/chat', { token: makeToken(), body: { message: 'hello' } })
  return body.conversation
}

let api: World
beforeAll(async () => {
  api = await startApi({
    support: { ask: async () => ({ expiresAt: 1 }), close: () => undefined },
    checkout: { bill: async () => ({ id: 'job-1', state: 'queued' }), close: () => undefined },
  })
})
afterAll(() => api.close())

const declared = await startApi()
await declared.close()

describe.each(declared.routes.filter(({ scopes }) => scopes !== 'public'))(
  '$method $path',
  ({ method, path, scopes }) => {
    const call = async (change?: Parameters<typeof makeToken>[0]) => {
      const sample = samples[`${method} ${path}`]
      if (sample === undefined) throw new Error(`No sample call of ${method} ${path}.`)
      const { path: concrete, body, as = {} } = await sample(api)
      const token = change === undefined ? undefined : makeToken({ ...as, ...change })
      return api.call(method, concrete, { token, ...(body === undefined ? {} : { body }) })
    }

    it('answers 401 without a token', async () => {
      const answer = await call()
      expect(answer.status).toBe(401)
      expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer realm="agent-api"/)
      expect(answer.headers.get('www-authenticate')).toContain('/.well-known/oauth-protected-resource')
    })

    it('answers 401 to a token for another audience', async () => {
      expect((await call({ aud: 'billing-worker' })).status).toBe(401)
    })

    it('answers 401 to an expired token, and to one that lives too long', async () => {
      expect((await call({ iat: 1000, exp: 1600 })).status).toBe(401)
      const iat = Math.floor(Date.now() / 1000)
      expect((await call({ iat, exp: iat + consumer.accessTokenLifeSeconds + 1 })).status).toBe(401)
    })

    it('answers 403 to a token with every scope but its own', async () => {
      if (typeof scopes === 'string') return
      const others = everyScope.split(' ').filter((scope) => !scopes.some((own) => own === scope))
      const answer = await call({ scope: others.join(' ') })
      expect(answer.status).toBe(403)
      expect(answer.headers.get('www-authenticate')).toContain(`scope="${scopes.join(' ')}"`)
    })

    it('answers 2xx to a token with its scope and no other', async () => {
      const answer = await call({ scope: typeof scopes === 'string' ? '' : scopes.join(' ') })
      expect(answer.status).toBeGreaterThanOrEqual(200)
      expect(answer.status).toBeLessThan(300)
      expect(answer.headers.get('cache-control')).toBe('no-store')
    })
  },
)

it('asks for every scope of the matrix somewhere, and for a token everywhere but at /healthz', () => {
  const asked = new Set(declared.routes.flatMap(({ scopes }) => (typeof scopes === 'string' ? [] : scopes)))
  expect([...asked].sort()).toEqual(Object.keys(consumer.scopes).sort())
  expect(declared.routes.filter(({ scopes }) => scopes === 'public').map(({ path }) => path)).toEqual(['/healthz'])
})
