import { request as httpRequest } from 'node:http'
import { connect } from '@countersign/websocket/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Bench, otherPassword, password, plainSocket, startBench } from './fixtures.ts'

let bench: Bench
beforeAll(async () => {
  bench = await startBench()
})
afterAll(() => bench.close())

const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())

/** With headers that `fetch` does not let through. */
function raw(path: string, headers: Record<string, string>, method = 'GET'): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(bench.url + path, { method, headers }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
    })
    request.on('error', reject)
    request.on('upgrade', (_response, socket) => {
      socket.destroy()
      resolve({ status: 101, text: '' })
    })
    request.end()
  })
}

const upgrade = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
}

describe('signing in', () => {
  it('gives a token of 7 days without refresh, for `service` unless more is asked for', async () => {
    const token = await bench.signIn()
    const { iat, exp, scope, aud } = claimsOf(token)
    expect([exp - iat, scope, aud]).toEqual([604_800, 'service', 'cmux'])
    const { body } = await bench.as(await bench.signIn('admin service')).get('/whoami')
    expect(body).toEqual({
      subject: expect.stringMatching(/^user_/),
      client_id: expect.stringMatching(/^client_/),
      scopes: ['admin', 'service'],
      session: expect.any(String),
      expires_at: expect.any(Number),
    })
  })

  it('keeps the two levels apart: neither contains the other', async () => {
    const service = bench.as(await bench.signIn('service'))
    const admin = bench.as(await bench.signIn('admin'))
    expect((await service.get('/feed')).status).toBe(200)
    expect((await admin.get('/commands')).status).toBe(200)
    const refused = [await service.get('/commands'), await service.post('/commands', { argv: ['true'] })]
    refused.push(await admin.get('/feed'), await admin.post('/feed', { text: 'x' }))
    for (const { status, body, headers } of refused) {
      expect([status, body.error]).toEqual([403, 'insufficient_scope'])
      expect(headers.get('www-authenticate')).toContain('scope="')
    }
  })

  it('answers 401 with a challenge without a token', async () => {
    for (const path of ['/whoami', '/feed', '/commands']) {
      const { status, headers } = await bench.request(path)
      expect([status, headers.get('www-authenticate')]).toEqual([401, expect.stringContaining('realm="cmux"')])
    }
  })

  it('says where it is from and for, as RFC 9728 asks, and the challenge leads there', async () => {
    const challenge = (await bench.request('/whoami')).headers.get('www-authenticate') ?? ''
    const url = /resource_metadata="([^"]+)"/.exec(challenge)?.[1] ?? ''
    const { body } = await bench.request(url.replace(bench.url, ''))
    expect(body).toMatchObject({
      resource: bench.url,
      authorization_servers: [bench.url],
      scopes_supported: ['admin', 'service'],
    })
  })

  it('takes no token from the URL, a cookie or a body', async () => {
    const token = await bench.signIn()
    expect((await bench.request(`/feed?access_token=${token}`)).status).toBe(400)
    expect((await bench.request('/feed', { headers: { cookie: `token=${token}` } })).status).toBe(401)
    expect((await raw(`/ws?token=${token}`, upgrade)).status).toBe(400)
  })
})

describe('the feed and the commands over HTTP', () => {
  it('take notes, page through them, and refuse what is none', async () => {
    const service = bench.as(await bench.signIn())
    const { body: first } = await service.post('/feed', { text: 'worker-1 started' })
    await service.post('/feed', { text: 'worker-1 done' })
    const { body } = await service.get(`/feed?after=${first.id}`)
    expect(body.events).toEqual([{ type: 'note', text: 'worker-1 done', id: first.id + 1, at: expect.any(Number) }])
    expect((await service.get('/feed?limit=1')).body.events).toHaveLength(1)
    for (const text of ['', '   ', 'two\nlines', '\u001b[2J', '\u202eabc', 7]) {
      expect((await service.post('/feed', { text })).body.error).toBe('invalid_request')
    }
    expect((await service.get('/feed?after=x')).body.error).toBe('invalid_request')
    expect((await service.post('/feed', { text: 'x'.repeat(70_000) })).status).toBe(413)
  })

  it('run a program without a shell, and say how it ended', async () => {
    const both = bench.as(await bench.signIn('admin service'))
    const { status, body: command } = await both.post('/commands', { argv: ['echo', '$HOME', '*', ';', 'id'] })
    expect(status).toBe(202)
    const mine = async () =>
      (await both.get('/feed')).body.events.filter((event: { command?: string }) => event.command === command.id)
    await expect.poll(async () => (await mine()).at(-1)?.type).toBe('command.ended')
    expect(await mine()).toEqual([
      expect.objectContaining({ type: 'command.started', argv: ['echo', '$HOME', '*', ';', 'id'] }),
      expect.objectContaining({ type: 'command.output', stream: 'stdout', text: '$HOME * ; id\n' }),
      expect.objectContaining({ type: 'command.ended', reason: 'exited', code: 0 }),
    ])
  })

  it('stop a command, and know nothing of one that is over', async () => {
    const both = bench.as(await bench.signIn('admin service'))
    const { body: command } = await both.post('/commands', { argv: ['sleep', '600'] })
    expect((await both.get('/commands')).body.commands).toMatchObject([{ id: command.id, argv: ['sleep', '600'] }])
    const init = { method: 'DELETE', headers: { authorization: `Bearer ${await bench.signIn('admin')}` } }
    expect((await bench.request(`/commands/${command.id}`, init)).status).toBe(202)
    await expect.poll(async () => (await both.get('/commands')).body.commands).toEqual([])
    expect((await bench.request(`/commands/${command.id}`, init)).status).toBe(404)
    expect((await both.get('/feed')).body.events.at(-1)).toMatchObject({ reason: 'stopped', signal: 'SIGTERM' })
  })
})

describe('the WebSocket', () => {
  it('serves the plain form: the token in the first message, then history and each event as it happens', async () => {
    const token = await bench.signIn('admin service')
    const socket = await plainSocket(bench.url, token)
    expect(await socket.next()).toMatchObject({ type: 'auth.ok', scopes: ['admin', 'service'] })
    socket.send({ type: 'feed.read', id: '1' })
    expect(await socket.next()).toMatchObject({ type: 'feed.page', id: '1', data: { epoch: expect.any(String) } })
    socket.send({ type: 'command.run', id: '2', data: { argv: ['echo', 'hello'] } })
    const seen: unknown[] = []
    while (!seen.includes('command.ended')) {
      const frame = await socket.next()
      if (typeof frame === 'number') throw new Error(`closed with ${frame}`)
      seen.push(frame.type === 'feed.event' ? (frame.data as { type: string }).type : frame.type)
    }
    expect(seen).toEqual(['command.started', 'command.accepted', 'command.output', 'command.ended'])
    socket.close()
  })

  it('gives a feed of any size in pages, and each event as it happens besides', async () => {
    const token = await bench.signIn('service')
    for (let count = 0; count < 40; count += 1) {
      expect((await bench.as(token).post('/feed', { text: '界'.repeat(8_192) })).status).toBe(201)
    }
    const { events } = (await bench.as(token).get('/feed')).body
    const socket = await plainSocket(bench.url, token)
    await socket.next()
    const ids: number[] = []
    for (let more = true; more; ) {
      socket.send({ type: 'feed.read', data: { after: ids.at(-1) ?? 0 } })
      let frame = await socket.next()
      while (typeof frame !== 'number' && frame.type === 'feed.event') frame = await socket.next()
      if (typeof frame === 'number') throw new Error(`closed with ${frame}`)
      const page = frame.data as { events: { id: number }[]; more: boolean }
      expect(Buffer.byteLength(JSON.stringify(frame))).toBeLessThan(1_048_576)
      ids.push(...page.events.map(({ id }) => id))
      more = page.more
      // Told at once, and with the last page too.
      if (more) await bench.as(token).post('/feed', { text: 'meanwhile' })
    }
    expect(ids.slice(0, events.length)).toEqual(events.map(({ id }: { id: number }) => id))
    expect(ids.length).toBeGreaterThan(events.length)
    const { id } = (await bench.as(token).post('/feed', { text: 'now' })).body
    expect(await socket.next()).toMatchObject({ type: 'feed.event', data: { id, text: 'now' } })
    socket.close()
  })

  it('serves the client of the page, which refuses nothing but what the token may not do', async () => {
    const token = await bench.signIn('service')
    const socket = connect(`${bench.url.replace('http', 'ws')}/ws`, { getToken: async () => token })
    try {
      const page = (await socket.request('feed.read')) as { epoch: string }
      expect(page.epoch).toEqual(expect.any(String))
      const come = new Promise((resolve) => socket.on('feed.event', resolve))
      await socket.request('feed.post', { text: 'over the socket' })
      expect(await come).toMatchObject({ type: 'note', text: 'over the socket' })
      const refusal = (code: string) => expect.objectContaining({ refusal: expect.objectContaining({ code }) })
      await expect(socket.request('command.run', { argv: ['true'] })).rejects.toEqual(refusal('insufficient_scope'))
      await expect(socket.request('feed.post', { text: '' })).rejects.toEqual(refusal('invalid_request'))
    } finally {
      socket.close()
    }
  })

  it('says nothing to who has no token, and 4401 to who has a wrong one', async () => {
    const silent = new WebSocket(`${bench.url.replace('http', 'ws')}/ws`)
    const said: unknown[] = []
    silent.addEventListener('message', ({ data }) => said.push(data))
    await new Promise((resolve) => silent.addEventListener('open', resolve))
    silent.send(JSON.stringify({ type: 'feed.read' }))
    expect(await new Promise((resolve) => silent.addEventListener('close', ({ code }) => resolve(code)))).toBe(4400)
    expect(said).toEqual([])
    const forged = await bench.signIn().then((token) => `${token.slice(0, -4)}AAAA`)
    expect(await (await plainSocket(bench.url, forged)).next()).toBe(4401)
  })

  it('ends with its session: signing out closes it, and the token is refused from then on', async () => {
    const token = await bench.signIn('service')
    const socket = await plainSocket(bench.url, token)
    await socket.next()
    expect((await bench.as(token).post('/auth/sign-out', {})).status).toBe(200)
    expect(await socket.closed).toBe(4431)
    expect((await bench.as(token).get('/feed')).status).toBe(401)
  })
})

describe('other sites', () => {
  it.each([
    ['a name that was let point here', 'rebound.example'],
    ['that name with the port', 'rebound.example:PORT'],
    ['another port', '127.0.0.1:1'],
    ['no port', 'localhost'],
  ])('cannot reach it under %s', async (_how, host) => {
    const named = host.replace('PORT', new URL(bench.url).port)
    for (const path of ['/', '/whoami', '/auth/sign-in', '/healthz', '/assets/main.js']) {
      expect((await raw(path, { host: named })).status).toBe(421)
    }
    expect((await raw('/ws', { ...upgrade, host: named })).status).toBe(421)
  })

  it('reach it under its own names only', async () => {
    const { port } = new URL(bench.url)
    for (const host of ['localhost', '127.0.0.1', '[::1]', 'LOCALHOST']) {
      expect((await raw('/', { host: `${host}:${port}` })).status).toBe(200)
      expect((await raw('/ws', { ...upgrade, host: `${host}:${port}` })).status).toBe(101)
    }
  })

  it.each(['https://evil.example', 'http://127.0.0.1:1', 'null', 'http://localhost.evil.example'])(
    'may not open a socket or sign in from %s',
    async (origin) => {
      expect((await raw('/ws', { ...upgrade, origin })).status).toBe(403)
      const signIn = await bench.request('/auth/sign-in', {
        method: 'POST',
        headers: { 'content-type': 'application/json', origin },
        body: JSON.stringify({ password }),
      })
      expect([signIn.status, signIn.headers.get('access-control-allow-origin')]).toEqual([400, null])
      const preflight = await bench.request('/commands', {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'POST' },
      })
      expect(preflight.headers.get('access-control-allow-origin')).toBeNull()
    },
  )
})

describe('the page', () => {
  it('loads nothing from elsewhere and no inline script, and every answer says so', async () => {
    const { body, headers } = await bench.request('/')
    expect(body).not.toMatch(/<script(?![^>]*src=)|<style|\son\w+=|https?:\/\//)
    for (const path of ['/', '/assets/style.css', '/whoami', '/nothing']) {
      const answer = await bench.request(path)
      expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'; script-src 'self'")
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
    }
    expect(headers.get('set-cookie')).toBeNull()
  })

  it.each(['/assets/page.js', '/assets/../config.js', '/assets/websocket/node/server.js', '/assets/main.js.map'])(
    'serves no %s',
    async (path) => {
      expect((await raw(path, {})).status).toBe(404)
    },
  )
})

describe('a restart', () => {
  it('with the same password keeps tokens, and with another ends all of them, over HTTP and WebSocket', async () => {
    const own = await startBench()
    try {
      const token = await own.signIn('admin service')
      await own.restart()
      expect(own.cmux.password).toBe('same')
      expect((await own.as(token).get('/whoami')).status).toBe(200)
      await own.restart(otherPassword)
      expect(own.cmux.password).toBe('changed')
      const refused = await own.as(token).get('/whoami')
      expect([refused.status, refused.body.error]).toEqual([401, 'invalid_token'])
      expect(await (await plainSocket(own.url, token)).closed).toBe(4431)
      await expect(own.signIn('service', password)).rejects.toThrow(/invalid_grant/)
      expect((await own.as(await own.signIn('service', otherPassword)).get('/whoami')).status).toBe(200)
      // Back to the first one: the tokens of then stay ended.
      await own.restart(password)
      expect((await own.as(token).get('/whoami')).status).toBe(401)
      expect(own.lines.join('')).not.toMatch(/mV6!rT9|zN4\?kB7|eyJ/)
    } finally {
      await own.close()
    }
  })
})
