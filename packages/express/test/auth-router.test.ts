import { createGuard } from '@countersign/guard'
import express, { type RequestHandler } from 'express'
import { describe, expect, it } from 'vitest'
import { expressAuth } from '../src/index.ts'
import { bearer, makeGuard, makeToken, serving } from './fixtures.ts'

const auth = expressAuth(makeGuard())
const done: RequestHandler = (_req, res) => {
  res.status(204).end()
}

function makeRouter() {
  return auth
    .router()
    .get('/health', 'public', done)
    .get('/whoami', 'token', done)
    .get('/agents/:id', 'agents:read', done)
    .post('/agents', ['agents:read', 'agents:write'], done)
    .put('/agents/:id', 'agents:write', done)
    .patch('/agents/:id', 'agents:write', done)
    .delete('/agents/:id', 'agents:write', done)
}

describe('router', () => {
  it('tells every route and who may call it', () => {
    const { routes } = makeRouter()
    expect(routes.map(({ method, path, scopes }) => `${method} ${path} ${scopes}`)).toEqual([
      'GET /health public',
      'GET /whoami token',
      'GET /agents/:id agents:read',
      'POST /agents agents:read,agents:write',
      'PUT /agents/:id agents:write',
      'PATCH /agents/:id agents:write',
      'DELETE /agents/:id agents:write',
    ])
  })

  it('guards every route as it tells', async () => {
    const router = makeRouter()
    await serving(express().use('/v1', router), async (origin) => {
      for (const { method, path, scopes } of router.routes) {
        const url = `${origin}/v1${path.replace(':id', '7')}`
        const status = async (token?: string) =>
          (await fetch(url, { method, ...(token === undefined ? {} : bearer(token)) })).status
        expect(await status(), `${method} ${path} without a token`).toBe(scopes === 'public' ? 204 : 401)
        if (scopes === 'public') continue
        expect(await status(makeToken({ aud: 'other' }))).toBe(401)
        expect(await status(makeToken({ scope: 'chat:write' }))).toBe(scopes === 'token' ? 204 : 403)
        expect(await status(makeToken({ scope: 'agents:read agents:write' }))).toBe(204)
      }
    })
  })

  it('guards HEAD as it guards GET', async () => {
    await serving(express().use(makeRouter()), async (origin) => {
      expect((await fetch(`${origin}/agents/1`, { method: 'HEAD' })).status).toBe(401)
      expect((await fetch(`${origin}/agents/1`, { method: 'HEAD', ...bearer(makeToken()) })).status).toBe(204)
    })
  })

  it('hands on what it has no route for', async () => {
    await serving(express().use(makeRouter()).get('/elsewhere', done), async (origin) => {
      expect((await fetch(`${origin}/elsewhere`)).status).toBe(204)
      expect((await fetch(`${origin}/nowhere`)).status).toBe(404)
    })
  })

  it('takes the options of a router', async () => {
    const router = auth.router({ mergeParams: true, caseSensitive: true }).get('/Agents', 'public', (req, res) => {
      res.json(req.params)
    })
    await serving(express().use('/orgs/:org', router), async (origin) => {
      expect(await (await fetch(`${origin}/orgs/acme/Agents`)).json()).toEqual({ org: 'acme' })
      expect((await fetch(`${origin}/orgs/acme/agents`)).status).toBe(404)
    })
  })

  it('does not take a route that does not say who may call it', () => {
    const router = auth.router()
    // @ts-expect-error nobody was named
    expect(() => router.get('/x', done)).toThrow(expect.objectContaining({ code: 'bad_access' }))
    // @ts-expect-error no scope in the list
    expect(() => router.get('/x', [], done)).toThrow(expect.objectContaining({ code: 'no_scope' }))
    // @ts-expect-error the consumer has no such scope
    expect(() => router.get('/x', 'agents:wirte', done)).toThrow(expect.objectContaining({ code: 'unknown_scope' }))
    // @ts-expect-error a handler is missing
    expect(() => router.get('/x', 'agents:read')).toThrow(expect.objectContaining({ code: 'bad_access' }))
    expect(router.routes).toEqual([])
  })

  it('does not guess whether its word or a scope of that name is meant', async () => {
    const consumer = { audience: 'agent-api', scopes: { public: {}, token: {} } }
    const verifier = { verify: () => Promise.reject(new Error('never asked')) }
    const named = expressAuth(createGuard({ verifier, consumer }))
    for (const word of ['public', 'token'] as const) {
      expect(() => named.router().get('/x', word, done)).toThrow(expect.objectContaining({ code: 'bad_access' }))
      const router = named.router().get('/x', [word], done)
      expect(router.routes).toMatchObject([{ scopes: [word] }])
      await serving(express().use(router), async (origin) => {
        expect((await fetch(`${origin}/x`)).status).toBe(401)
      })
    }
  })
})
