import type { Freshness } from '@countersign/guard'
import express, { type RequestHandler } from 'express'
import { describe, expect, it } from 'vitest'
import { expressAuth, type RouteOptions } from '../src/index.ts'
import { bearer, makeGuard, makeToken, serving } from './fixtures.ts'

const done: RequestHandler = (_req, res) => {
  res.status(204).end()
}

function setUp() {
  let level: Freshness['level'] = 'fresh'
  const revocations = {
    isRevoked: () => false,
    onChange: () => () => {},
    freshness: (): Freshness => ({ level, ageSeconds: 0 }),
  }
  const auth = expressAuth(makeGuard({ revocations, introspect: async () => true }))
  return {
    auth,
    become(now: Freshness['level']) {
      level = now
    },
  }
}

describe('late revocation news', () => {
  it('are answered with 503 and Retry-After, unless the route says otherwise', async () => {
    const { auth, become } = setUp()
    const app = express()
      .get('/plain', auth.requireScope('agents:read'), done)
      .get('/sensitive', auth.requireScope('agents:read', 'chat:write'), done)
      .get('/life', auth.requireScope('chat:write', { availability: 'token-life' }), done)
      .get('/asks', auth.requireScope('agents:read', { availability: 'introspect' }), done)
      .get('/token', auth.requireToken(), done)
      .get('/token-life', auth.requireToken({ availability: 'token-life' }), done)
      .use(
        '/v1',
        auth
          .router()
          .get('/plain', 'agents:read', done)
          .get('/life', { scopes: ['agents:read', 'chat:write'], availability: 'token-life' }, done)
          .get('/token-life', { scopes: 'token', availability: 'token-life' }, done),
      )
    const rows: [Freshness['level'], Record<string, number>][] = [
      ['late', { '/plain': 204, '/sensitive': 503, '/life': 204, '/asks': 204, '/token': 204, '/v1/plain': 204 }],
      ['stale', { '/plain': 503, '/sensitive': 503, '/life': 204, '/asks': 204, '/token': 503, '/token-life': 204 }],
      ['stale', { '/v1/plain': 503, '/v1/life': 204, '/v1/token-life': 204 }],
      ['starting', { '/plain': 503, '/life': 503, '/asks': 204, '/token-life': 503 }],
    ]
    const headers = bearer(makeToken())
    await serving(app, async (origin) => {
      for (const [level, statuses] of rows) {
        become(level)
        for (const [path, status] of Object.entries(statuses)) {
          const response = await fetch(`${origin}${path}`, headers)
          expect([level, path, response.status]).toEqual([level, path, status])
          if (status === 503) expect(response.headers.get('retry-after')).toBe('5')
        }
      }
    })
  })

  it('are declared with the route', () => {
    const { auth } = setUp()
    const { routes } = auth.router().get('/a', { scopes: 'agents:read', availability: 'token-life' }, done)
    expect(routes).toEqual([{ method: 'GET', path: '/a', scopes: ['agents:read'], availability: 'token-life' }])
  })

  it('cannot be asked about by a guard that has nobody to ask', () => {
    const auth = expressAuth(makeGuard())
    const asks: RouteOptions = { availability: 'introspect' }
    const refused = expect.objectContaining({ name: 'ExpressAuthError', code: 'no_introspection' })
    expect(() => auth.requireScope('agents:read', asks)).toThrow(refused)
    expect(() => auth.requireToken(asks)).toThrow(refused)
    expect(() => auth.router().get('/a', { scopes: 'agents:read', ...asks }, done)).toThrow(refused)
  })

  it('leave the scopes as strict as they were', () => {
    const { auth } = setUp()
    const options: RouteOptions = { availability: 'token-life' }
    expect(() => auth.requireScope(options as never)).toThrow(expect.objectContaining({ code: 'no_scope' }))
    for (const wrong of [
      [undefined],
      ['agents:read', undefined],
      ['agents:read', null],
      ['agents:read', options, 'x'],
    ]) {
      expect(() => auth.requireScope(...(wrong as [never]))).toThrow(expect.objectContaining({ code: 'unknown_scope' }))
    }
  })
})
