import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from '@countersign/websocket/client'
import express from 'express'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { AuthModule } from '../src/index.ts'
import { password, secretKey, signedIn, surroundings } from './fixture.ts'

const around = surroundings()
type Scope = 'notes:read' | 'notes:write'

async function open(): Promise<{ auth: AuthModule<Scope>; reader: string; writer: string }> {
  const auth = await around.open({ scopes: ['notes:read', 'notes:write'], resource: 'http://127.0.0.1/notes' })
  await auth.users.add('reader', password, { scopes: ['notes:read'] })
  await auth.users.add('writer', password)
  const [reader, writer] = [await signedIn(auth, 'reader'), await signedIn(auth, 'writer')]
  return { auth, reader: reader.token, writer: writer.token }
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return (server.address() as AddressInfo).port
}

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })

describe('Express', () => {
  it('lets through whose token has the scope, and nobody else', async () => {
    const { auth, reader, writer } = await open()
    const app = express()
    const guarded = auth.express({ realm: 'notes' })
    app.get('/notes', guarded.requireScope('notes:read'), (req, res) => {
      res.json({ sub: guarded.principal(req).subject })
    })
    app.post('/notes', guarded.requireScope('notes:write'), (_req, res) => void res.status(201).end())
    const url = `http://127.0.0.1:${await listen(createServer(app))}/notes`
    const { sub } = (await auth.validateToken(reader)) ?? {}
    expect(await (await fetch(url, bearer(reader))).json()).toEqual({ sub })
    expect((await fetch(url)).status).toBe(401)
    expect((await fetch(url, { method: 'POST', ...bearer(reader) })).status).toBe(403)
    expect((await fetch(url, { method: 'POST', ...bearer(writer) })).status).toBe(201)
    await auth.users.disable('writer')
    const refused = await fetch(url, { method: 'POST', ...bearer(writer) })
    expect(refused.status).toBe(401)
    expect(refused.headers.get('www-authenticate')).toContain('error="invalid_token"')
  })
})

describe('WebSocket', () => {
  it('answers messages whose scopes the token has, and ends when the session does', async () => {
    const { auth, reader, writer } = await open()
    const sockets = auth.webSocket({ messages: { 'note.add': ['notes:write'], 'note.list': ['notes:read'] } })
    const server = createServer()
    sockets.mount(server, '/ws')
    sockets.on('note.list', ({ reply }) => void reply({ type: 'note.all', data: [] }))
    sockets.on('note.add', ({ data, reply }) => void reply({ type: 'note.added', data }))
    const url = `ws://127.0.0.1:${await listen(server)}/ws`
    const clientOf = (token: string) => {
      const client = connect(url, { getToken: async () => token })
      onTestFinished(() => client.logout())
      return client
    }
    const [reading, writing] = [clientOf(reader), clientOf(writer)]
    expect(await writing.request('note.add', 'hello')).toBe('hello')
    expect(await reading.request('note.list', null)).toEqual([])
    await expect(reading.request('note.add', 'hello')).rejects.toThrow()
    const stopped = new Promise<string>((resolve) => {
      writing.onState((state) => state !== 'ready' && resolve(state))
    })
    await auth.signOut(writer)
    await stopped
    expect([...sockets.connections()]).toHaveLength(1)
  })

  it('is closed with the module', async () => {
    const { auth, reader } = await open()
    const sockets = auth.webSocket({ messages: { 'note.list': ['notes:read'] } })
    const server = createServer()
    sockets.mount(server, '/ws')
    const socket = new WebSocket(`ws://127.0.0.1:${await listen(server)}/ws`)
    await once(socket, 'open')
    socket.send(JSON.stringify({ type: 'auth', token: reader }))
    await once(socket, 'message')
    const closed = once(socket, 'close')
    await auth.close()
    expect((await closed)[0]).toMatchObject({ code: 1001 })
  })
})

describe('routes', () => {
  it('sign in over HTTP with what the module validates', async () => {
    const { auth } = await open()
    const url = `http://127.0.0.1:${await listen(createServer(auth.routes()))}/auth/sign-in`
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ identifier: 'reader', secret: password, client_id: 'module' }),
    })
    const { access_token: token } = (await response.json()) as { access_token: string }
    expect(await auth.validateToken(token)).toMatchObject({ scopes: ['notes:read'] })
  })

  it('are not there where they would answer with tokens of another form', async () => {
    const auth = await around.open({ algorithm: 'HS256', secretKey })
    expect(() => auth.routes()).toThrow(expect.objectContaining({ code: 'bad_option' }))
  })
})

describe('protect', () => {
  const url = 'http://127.0.0.1/notes'

  it('calls the handler with what the token says', async () => {
    const { auth, reader } = await open()
    const handler = auth.protect((_request, { sub, scopes }) => Response.json({ sub, scopes }), { scope: 'notes:read' })
    const { sub } = (await auth.validateToken(reader)) ?? {}
    expect(await (await handler(new Request(url, bearer(reader)))).json()).toEqual({ sub, scopes: ['notes:read'] })
  })

  it.each([
    ['no token', {}, 401, 'Invalid token', /^Bearer scope="notes:write", resource_metadata=/],
    ['a bad token', bearer('a.b.c'), 401, 'Invalid token', /error="invalid_token"/],
    ['two tokens', bearer('a.b.c, Bearer d.e.f'), 400, /exactly one/, /error="invalid_request"/],
    ['another scheme', { headers: { authorization: 'Basic YTpi' } }, 401, 'Invalid token', /^Bearer/],
  ] as const)('answers %s itself', async (_what, init, status, detail, challenge) => {
    const { auth } = await open()
    const handler = auth.protect(() => new Response('reached'), { scope: 'notes:write' })
    const response = await handler(new Request(url, init))
    expect(response.status).toBe(status)
    expect(await response.json()).toMatchObject({
      detail: typeof detail === 'string' ? detail : expect.stringMatching(detail),
    })
    expect(response.headers.get('www-authenticate')).toMatch(challenge)
    expect(response.headers.get('cache-control')).toBe('no-store')
  })

  it('answers a token without the scope with 403', async () => {
    const { auth, reader, writer } = await open()
    const handler = auth.protect(() => new Response('reached'), { scope: ['notes:read', 'notes:write'] })
    const response = await handler(new Request(url, bearer(reader)))
    expect(response.status).toBe(403)
    expect(await response.json()).toMatchObject({ detail: 'Insufficient permissions', error: 'insufficient_scope' })
    expect(response.headers.get('www-authenticate')).toContain('error="insufficient_scope"')
    expect(await (await handler(new Request(url, bearer(writer)))).text()).toBe('reached')
  })

  it('asks for a token only, where it is told so', async () => {
    const { auth, reader } = await open()
    const handler = auth.protect(() => new Response('reached'), { scope: null })
    expect((await handler(new Request(url, bearer(reader)))).status).toBe(200)
    expect((await handler(new Request(url))).status).toBe(401)
  })

  it('does not take a scope that the module does not have, nor none', async () => {
    const { auth } = await open()
    for (const scope of ['notes:burn', [], 'toString', undefined]) {
      const protect = () => auth.protect(() => new Response('reached'), { scope: scope as 'notes:read' })
      expect(protect).toThrow(expect.objectContaining({ code: 'bad_option' }))
    }
    const bare = () => auth.protect(() => new Response('reached'), undefined as never)
    expect(bare).toThrow(expect.objectContaining({ code: 'bad_option' }))
  })
})
