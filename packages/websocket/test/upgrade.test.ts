import { createServer } from 'node:http'
import express from 'express'
import { describe, expect, it } from 'vitest'
import { WebSocketServer } from 'ws'
import { addressGroup } from '../src/node/address.ts'
import { webSocketAuth } from '../src/node/server.ts'
import { atEnd, connected, makeGuard, makeToken, rawClient, serve } from './fixtures.ts'
import { type TcpClient, tcpClient, type UpgradeOptions } from './tcp-client.ts'

const messages = { hello: 'token' } as const
const token = makeToken()

describe('an upgrade', () => {
  const refused: [why: string, upgrade: UpgradeOptions, status: number, reason: string][] = [
    ['has ?token', { path: '/ws?token=canary' }, 400, 'token_in_url'],
    ['has ?access_token', { path: '/ws?a=1&access_token=canary' }, 400, 'token_in_url'],
    ['has ?ACCESS_TOKEN', { path: '/ws?ACCESS_TOKEN=canary' }, 400, 'token_in_url'],
    ['has ?jwt, percent-encoded', { path: '/ws?%6awt=canary' }, 400, 'token_in_url'],
    ['has a token under another name', { path: `/ws?q=${token}` }, 400, 'token_in_url'],
    ['has an origin that is another host', { headers: { Origin: 'https://evil.example' } }, 403, 'origin'],
    ['has the origin null', { headers: { Origin: 'null' } }, 403, 'origin'],
    ['has an empty origin scheme', { headers: { Origin: '://' } }, 403, 'origin'],
    ['has an origin on another port', { headers: { Origin: 'http://127.0.0.1:1' } }, 403, 'origin'],
    ['has a host that is not loopback', { headers: { Host: 'rebound.example' } }, 421, 'host'],
    ['has a host that begins like loopback', { headers: { Host: '127.0.0.1.example' } }, 421, 'host'],
    ['has both of them rebound', { headers: { Host: 'e.example', Origin: 'http://e.example' } }, 421, 'host'],
    ['is no WebSocket', { headers: { Upgrade: 'h2c' } }, 400, 'not_websocket'],
    ['has no key', { headers: { 'Sec-WebSocket-Key': '' } }, 400, 'not_websocket'],
    ['has a version that is gone', { headers: { 'Sec-WebSocket-Version': '7' } }, 400, 'not_websocket'],
    ['is a POST', { method: 'POST' }, 400, 'not_websocket'],
    ['is for a path that nobody serves', { path: '/other' }, 404, 'unknown_path'],
    ['is for a path below', { path: '/ws/x' }, 404, 'unknown_path'],
  ]

  it.each(refused)('that %s is answered %s %s', async (_why, upgrade, status, reason) => {
    const { port, events } = await serve({ messages })
    const client = tcpClient(port, upgrade)
    expect(await client.status).toBe(status)
    // The client never closes its side, and yet the descriptor is free.
    await client.ended
    expect(events).toEqual([{ type: 'upgrade_refused', reason, status }])
    expect(client.received()).not.toContain('canary')
    if (reason === 'not_websocket') expect(client.received()).toContain('\r\nSec-WebSocket-Version: 13\r\n')
  })

  it.each([
    ['no origin', {}],
    ['its own host', { Origin: 'SAME' }],
    ['localhost', { Host: 'localhost:1' }],
    ['IPv6 loopback', { Host: '[::1]:4610' }],
    ['a name below localhost', { Host: 'app.localhost' }],
  ])('with %s is taken', async (_what, headers) => {
    const { port } = await serve({ messages })
    const own = Object.fromEntries(
      Object.entries(headers).map(([k, v]) => [k, v === 'SAME' ? `http://127.0.0.1:${port}` : v]),
    )
    expect(await tcpClient(port, { headers: own }).status).toBe(101)
  })

  it('holds to the origins and hosts that are listed, exactly', async () => {
    const { port } = await serve({ messages, origins: ['https://App.example.com:443'], hosts: ['api.example.com'] })
    const status = (Origin: string, Host = 'api.example.com') => tcpClient(port, { headers: { Origin, Host } }).status
    expect(await status('https://app.example.com')).toBe(101)
    expect(await status('https://app.example.com', 'api.example.com:8443')).toBe(101)
    for (const origin of [
      'http://app.example.com',
      'https://app.example.com:444',
      'https://app.example.com.evil.io',
      'null',
    ]) {
      expect(await status(origin)).toBe(403)
    }
    expect(await status('https://app.example.com', '127.0.0.1')).toBe(421)
  })

  it.each([
    { origins: ['*'] },
    { origins: ['https://*.example.com'] },
    { origins: ['https://a.example/'] },
    { origins: ['null'] },
    { hosts: ['https://a.example'] },
    { proxyHops: -1 },
    { proxyHops: 1.5 },
    { limits: { pending: 0 } },
    { limits: { nonsense: 1 } as object },
    { limits: { tokenLength: 8192 } },
    { messages: { auth: ['chat:write'] } as const },
    { messages: { 'auth.more': ['chat:write'] } as const },
    { messages: { a: [] } as never },
    { envelopes: { 'wsauth.v1': { readToken: () => 'x' } } },
    { messages: { a: ['chat:wirte'] } as never },
  ])('cannot be set up with %j', (options) => {
    expect(() => webSocketAuth({ guard: makeGuard(), ...options } as never)).toThrow(
      expect.objectContaining({ name: 'WebSocketError', code: expect.stringMatching(/bad_option|unknown_type/) }),
    )
  })

  it('is answered 429 for the 21st unauthenticated socket of an address, until one of them is done', async () => {
    const { port, url } = await serve({ messages })
    const clients: TcpClient[] = []
    for (let index = 0; index < 20; index += 1) clients.push(tcpClient(port))
    for (const client of clients) expect(await client.status).toBe(101)
    const late = tcpClient(port)
    expect(await late.status).toBe(429)
    expect(late.received()).toContain('Retry-After: 5')
    clients[0]?.socket.destroy()
    await expect.poll(() => tcpClient(port).status).toBe(101)
    expect(url).toContain('/ws')
  })

  it('counts by the address that the outermost counted proxy saw', () => {
    const group = (remoteAddress: string, forwarded: string | undefined, hops: number) =>
      addressGroup({ headers: { 'x-forwarded-for': forwarded }, socket: { remoteAddress } } as never, hops)
    expect(group('10.0.0.1', '1.1.1.1', 0)).toBe('10.0.0.1')
    expect(group('10.0.0.1', 'forged, 1.1.1.1', 1)).toBe('1.1.1.1')
    expect(group('10.0.0.1', '1.1.1.1, 2.2.2.2', 2)).toBe('1.1.1.1')
    expect(group('10.0.0.1', '1.1.1.1', 2)).toBe('10.0.0.1')
    expect(group('10.0.0.1', 'not an address', 1)).toBe('10.0.0.1')
    expect(group('10.0.0.1', '1.1.1.1:5678', 1)).toBe('1.1.1.1')
    expect(group('10.0.0.1', '[2001:db8::1]:5678', 1)).toBe('2001:db8:0:0/64')
    expect(group('::ffff:127.0.0.9', undefined, 0)).toBe('127.0.0.9')
    expect(group('::1', undefined, 0)).toBe('0:0:0:0/64')
    expect(group('2001:0DB8:0:1::5', undefined, 0)).toBe('2001:db8:0:1/64')
    expect(group('2001:db8:0:1:ffff:ffff:ffff:ffff', undefined, 0)).toBe('2001:db8:0:1/64')
    expect(group('fe80::1%eth0', undefined, 0)).toBe('fe80:0:0:0/64')
  })
})

describe('mount', () => {
  it('stands beside Express, and beside other people on the same server', async () => {
    const app = express().get('/', (_req, res) => void res.send('app'))
    const server = createServer(app)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    const one = webSocketAuth({ guard: makeGuard(), messages })
    const two = webSocketAuth({ guard: makeGuard(), messages })
    const others = new WebSocketServer({ noServer: true })
    atEnd(async () => {
      await Promise.all([one.close(), two.close()])
      others.close()
      for (const client of others.clients) client.terminate()
      server.closeAllConnections()
      server.close()
    })
    one.mount(server, '/one')
    const unmount = two.mount(server, '/two')
    one.mount(server, '/another')
    one.on('hello', ({ reply }) => void reply({ type: 'one' }))
    two.on('hello', ({ reply }) => void reply({ type: 'two' }))
    for (const [path, answer] of [
      ['one', 'one'],
      ['two', 'two'],
      ['another', 'one'],
    ]) {
      const client = await connected(`ws://127.0.0.1:${port}/${path}?room=1`)
      client.send({ type: 'hello' })
      expect(await client.next()).toEqual({ type: answer })
    }
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('app')
    expect(await tcpClient(port, { path: '/theirs' }).status).toBe(404)
    server.on('upgrade', (request, socket, head) => {
      if (request.url !== '/theirs') return
      others.handleUpgrade(request, socket, head, (ws) => ws.send('{"type":"theirs"}'))
    })
    expect(await rawClient(`ws://127.0.0.1:${port}/theirs`, []).next()).toEqual({ type: 'theirs' })
    unmount()
    expect(() => one.mount(server, '/one')).toThrow(expect.objectContaining({ code: 'bad_option' }))
    for (const path of ['', 'ws', '/a b', '/a?b', '/a#b']) {
      expect(() => one.mount(server, path)).toThrow(expect.objectContaining({ code: 'bad_option' }))
    }
  })

  it('takes nobody after close, which sends 1001 and waits until all are gone', async () => {
    const { server, sockets, url, port } = await serve({ messages })
    const client = await connected(url)
    const silent = rawClient(url)
    await silent.next()
    await sockets.close({ spreadMs: 1000 })
    expect((await client.closed).code).toBe(1001)
    expect((await silent.closed).code).toBe(1001)
    expect(await client.next()).toMatchObject({ type: 'error', code: 'going_away', retryAfterMs: expect.any(Number) })
    expect(sockets.counts).toEqual({ pending: 0, sockets: 0 })
    expect(await tcpClient(port).status).toBe(404)
    expect(() => sockets.mount(server, '/late')).toThrow(expect.objectContaining({ code: 'closed' }))
  })
})
