import { once } from 'node:events'
import { createServer } from 'node:http'
import {
  Client,
  ClientCredentialsProvider,
  InsufficientScopeError,
  StreamableHTTPClientTransport,
} from '@modelcontextprotocol/client'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { McpServer } from '@modelcontextprotocol/server'
import { describe, expect, it } from 'vitest'
import type { GuardedHttp, McpEvent } from '../src/index.ts'
import { collector, makeGuard, makeRevocations, makeToken, movableClock, serving } from './fixtures.ts'
import { ask, buildV1, buildV2, call, rpc, seen, withServer } from './worlds.ts'

const withToken = (token: string) => ({ requestInit: { headers: { authorization: `Bearer ${token}` } } })
const newest = { versionNegotiation: { mode: 'auto' as const } }

async function connectV2(url: string, token: string, options: object = newest): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' }, options)
  await client.connect(new StreamableHTTPClientTransport(new URL(url), withToken(token)))
  return client
}

async function connectV1(url: string, token: string): Promise<ClientV1> {
  const client = new ClientV1({ name: 'test', version: '1' })
  await client.connect(new TransportV1(new URL(url), withToken(token)) as never)
  return client
}

function bearer(sub: string): { authorization: string } {
  return { authorization: `Bearer ${makeToken('code:read', { sub })}` }
}

/** An authorization server that gives each client what it asks for, and counts. */
async function withIssuer(use: (issuer: string, asked: string[]) => Promise<void>): Promise<void> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    const issuer = `http://${request.headers.host}`
    const json = (body: unknown) => response.setHeader('content-type', 'application/json').end(JSON.stringify(body))
    if (request.url === '/.well-known/oauth-authorization-server') {
      json({
        issuer,
        token_endpoint: `${issuer}/token`,
        authorization_endpoint: `${issuer}/authorize`,
        response_types_supported: ['code'],
        code_challenge_methods_supported: ['S256'],
        grant_types_supported: ['client_credentials'],
        token_endpoint_auth_methods_supported: ['client_secret_basic'],
      })
      return
    }
    if (request.url !== '/token') {
      response.writeHead(404).end()
      return
    }
    let form = ''
    request.on('data', (part) => {
      form += part
    })
    request.on('end', () => {
      const scope = new URLSearchParams(form).get('scope') ?? ''
      asked.push(scope)
      json({ access_token: makeToken(scope, { iss: issuer }), token_type: 'Bearer', expires_in: 600, scope })
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  try {
    await use(`http://127.0.0.1:${address.port}`, asked)
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

const modern = (message: { method: string; params?: unknown }) => ({
  ...message,
  params: {
    ...(message.params as object),
    _meta: {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1' },
      'io.modelcontextprotocol/clientCapabilities': {},
    },
  },
})
const headersFor = (method: string, name?: string) => ({
  'mcp-protocol-version': '2026-07-28',
  'mcp-method': method,
  ...(name === undefined ? {} : { 'mcp-name': name }),
})

/** A server that is asked without a socket, to listen to its list of tools. */
async function openWithSubscriptions(
  subscriptions: { readonly max: number; readonly maxPerCaller: number },
  onEvent: (event: McpEvent) => void,
) {
  const server = await buildV2({ onEvent }).http({ resource: 'http://localhost/mcp', subscriptions })
  const body = JSON.stringify(modern(ask('subscriptions/listen', { notifications: { toolsListChanged: true } })))
  const send = (token: string, signal: AbortSignal | null = null): Promise<Response> => {
    const headers = {
      ...headersFor('subscriptions/listen'),
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      authorization: `Bearer ${token}`,
    }
    return server.fetch(new Request('http://localhost/mcp', { method: 'POST', headers, body, signal }))
  }
  return { server, send }
}

describe('the client of SDK v2', () => {
  it.each([['v1' as const], ['v2' as const]])(
    'steps up once, for all scopes of the operation, at a server of %s',
    async (sdk) => {
      await withIssuer(async (issuer, asked) => {
        await withServer(sdk, { guard: makeGuard({ issuer }), http: { baselineScopes: ['code:run'] } }, async (url) => {
          const statuses: number[] = []
          const counting: typeof fetch = async (input, init) => {
            const response = await fetch(input, init)
            // The stream that a client of 2025-11-25 tries to open beside its messages.
            if (String(input) === url && init?.method === 'POST') statuses.push(response.status)
            return response
          }
          const authProvider = new ClientCredentialsProvider({
            ...{ clientId: 'test', clientSecret: 'secret', expectedIssuer: issuer },
          })
          const client = new Client({ name: 'test', version: '1' }, newest)
          await client.connect(new StreamableHTTPClientTransport(new URL(url), { authProvider, fetch: counting }))
          expect(asked).toEqual(['code:run'])
          statuses.length = 0
          const result = await client.callTool({ name: 'copy' })
          expect(result.content).toEqual([{ type: 'text', text: 'copied' }])
          expect(statuses).toEqual([403, 200])
          expect(asked[1]?.split(' ').sort()).toEqual(['code:read', 'code:run', 'code:write'])
          await client.close()
        })
      })
    },
  )

  it('sees cache hints that keep its list to itself', async () => {
    await withServer('v2', { listTtlMs: 1234 }, async (url) => {
      const client = await connectV2(url, makeToken())
      expect(client.getNegotiatedProtocolVersion()).toBe('2026-07-28')
      const { tools, ...hints } = await client.listTools()
      expect(tools.map(({ name }) => name)).toEqual('delegate look read version wait whoami'.split(' '))
      expect(hints).toMatchObject({ ttlMs: 1234, cacheScope: 'private' })
      expect(await client.listResources()).toMatchObject({ ttlMs: 1234, cacheScope: 'private' })
      expect(await client.listPrompts()).toMatchObject({ ttlMs: 1234, cacheScope: 'private' })
      expect(await client.readResource({ uri: 'file:///readme' })).toMatchObject({ cacheScope: 'private' })
      await client.close()
    })
  })

  it('finds nothing in shared caches but what is public, whatever the server hints at', async () => {
    const cacheHints = { 'resources/read': { ttlMs: 5_000, cacheScope: 'public' as const } }
    let server: GuardedHttp | undefined
    await serving(
      async (origin) => {
        const factory = () => new McpServer({ name: 'coder', version: '1.0.0' }, { cacheHints })
        server = await buildV2({}, factory).http({ resource: `${origin}/mcp` })
        return server.node
      },
      async (origin) => {
        const client = await connectV2(`${origin}/mcp`, makeToken())
        expect(await client.readResource({ uri: 'file:///readme' })).toMatchObject({ cacheScope: 'private' })
        expect(await client.readResource({ uri: 'file:///open' })).toMatchObject({ cacheScope: 'public', ttlMs: 5_000 })
        await client.close()
        await server?.close()
      },
    )
  })

  it('finds out what a server can do, whatever part of it a request has need of', async () => {
    for (const options of [newest, {}]) {
      await withServer('v2', {}, async (url) => {
        const client = await connectV2(url, makeToken('code:write'), options)
        expect(Object.keys(client.getServerCapabilities() ?? {}).sort()).toEqual(
          'completions prompts resources tools'.split(' '),
        )
        const ref = { type: 'ref/resource' as const, uri: 'file:///src/{name}' }
        const { completion } = await client.complete({ ref, argument: { name: 'name', value: 'a' } })
        expect(completion.values).toEqual(['a.ts'])
        await expect(client.callTool({ name: 'copy' })).rejects.toThrow(InsufficientScopeError)
        await client.close()
      })
    }
  })

  it('cannot be another by headers: the body is what is authorised', async () => {
    await withServer('v2', {}, async (url) => {
      seen.length = 0
      const write = modern(call('write', { path: 'a' }))
      // The headers say what the token would allow.
      expect((await rpc(url, makeToken(), write, headersFor('tools/call', 'read'))).status).toBe(403)
      // And what neither of them forbids, but says otherwise than the body.
      const token = makeToken('code:read code:write')
      const mismatch = await rpc(url, token, write, headersFor('tools/call', 'read'))
      expect([mismatch.status, mismatch.body.error.code]).toEqual([400, -32_020])
      expect((await rpc(url, token, write, headersFor('tools/list'))).status).toBe(400)
      expect(seen).toEqual([])
      expect((await rpc(url, token, write, headersFor('tools/call', 'write'))).status).toBe(200)
    })
  })

  it('is refused a subscription to a resource that it may not read', async () => {
    await withServer('v2', {}, async (url) => {
      const listen = (uris: string[]) =>
        modern(ask('subscriptions/listen', { notifications: { toolsListChanged: true, resourceSubscriptions: uris } }))
      const headers = headersFor('subscriptions/listen')
      const denied = await rpc(url, makeToken(), listen(['file:///readme', 'file:///src/a']), headers)
      expect([denied.status, denied.challenge?.includes('scope="code:read code:write"')]).toEqual([403, true])
      expect((await rpc(url, makeToken(), listen(['file:///nothing']), headers)).body.error.code).toBe(-32_602)
    })
  })

  it('is hung up on when its token is revoked, while another’s subscription goes on', async () => {
    const revocations = makeRevocations()
    const { events, onEvent } = collector()
    let server: GuardedHttp & { notify: { toolsChanged(): void } } = undefined as never
    await serving(
      async (origin) => {
        server = await buildV2({ guard: makeGuard({ revocations }), onEvent }).http({ resource: `${origin}/mcp` })
        return server.node
      },
      async (origin) => {
        const listen = async (sub: string) => {
          const message = modern(ask('subscriptions/listen', { notifications: { toolsListChanged: true } }))
          const response = await fetch(`${origin}/mcp`, {
            method: 'POST',
            headers: {
              ...{ 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
              ...{ authorization: `Bearer ${makeToken('code:read', { sub })}`, ...headersFor(message.method) },
            },
            body: JSON.stringify(message),
          })
          if (response.body === null) throw new Error('no stream')
          return response.body.pipeThrough(new TextDecoderStream()).getReader()
        }
        const [gone, stays] = await Promise.all([listen('ada'), listen('bob')])
        expect((await gone.read()).value).toContain('acknowledged')
        expect((await stays.read()).value).toContain('acknowledged')
        revocations.revoke('ada')
        expect((await gone.read()).done).toBe(true)
        server.notify.toolsChanged()
        expect((await stays.read()).value).toContain('list_changed')
        await stays.cancel()
        await server.close()
      },
    )
    expect(events.filter(({ type }) => type === 'ended')).toMatchObject([{ caller: { subject: 'ada' } }])
  })

  it('subscribes so many times and no more, and leaves room for others', async () => {
    const { events, onEvent } = collector()
    const { server, send } = await openWithSubscriptions({ max: 3, maxPerCaller: 2 }, onEvent)
    const hangUp = new AbortController()
    const listen = (sub: string, signal?: AbortSignal) => send(makeToken('code:read', { sub }), signal)
    expect([(await listen('ada', hangUp.signal)).status, (await listen('ada')).status]).toEqual([200, 200])
    const refused = await listen('ada')
    expect([refused.status, await refused.json()]).toMatchObject([429, { id: 1, error: { code: -32_000 } }])
    expect(events.at(-1)).toEqual({ type: 'refused', transport: 'http', reason: 'too_many_subscriptions' })
    expect((await listen('bob')).status).toBe(200)
    // The SDK's own word for all of them together.
    expect(await (await listen('eve')).text()).toContain('Subscription limit reached')
    hangUp.abort()
    await expect.poll(async () => (await listen('ada')).status).toBe(200)
    expect((await listen('ada')).status).toBe(429)
    await server.close()
    const none = openWithSubscriptions({ max: 3, maxPerCaller: 0 }, onEvent)
    await expect(none).rejects.toMatchObject({ code: 'bad_option' })
  })

  it('cancels what it hung up on', async () => {
    await withServer('v2', {}, async (url) => {
      seen.length = 0
      const hangUp = new AbortController()
      const headers = { ...headersFor('tools/call', 'wait'), authorization: `Bearer ${makeToken()}` }
      const waiting = fetch(url, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
        body: JSON.stringify(modern(call('wait'))),
        signal: hangUp.signal,
      })
      await waiting
      hangUp.abort()
      const signal = seen[0] as AbortSignal
      if (!signal.aborted) await once(signal, 'abort')
    })
  })

  it('is told to get another token when its own was revoked before the answer came', async () => {
    const revocations = makeRevocations()
    let isAsked = (): void => {}
    const asked = new Promise<void>((resolve) => {
      isAsked = resolve
    })
    const tester = () => {
      isAsked()
      return new Promise<string>(() => {})
    }
    await withServer('v2', { guard: makeGuard({ revocations }), exchange: { tester } }, async (url) => {
      const answer = rpc(url, makeToken(), modern(call('delegate')), headersFor('tools/call', 'delegate'))
      await asked
      revocations.revoke('user_1')
      const { status, challenge } = await answer
      expect([status, challenge?.includes('error="invalid_token"')]).toEqual([401, true])
    })
  })

  it('is hung up on when the server closes', async () => {
    const { events, onEvent } = collector()
    await withServer('v2', { onEvent }, async (url, server) => {
      const message = modern(ask('subscriptions/listen', { notifications: { toolsListChanged: true } }))
      const answer = rpc(url, makeToken(), message, headersFor('subscriptions/listen'))
      await expect.poll(() => events).toHaveLength(1)
      await rpc(url, makeToken(), call('read'))
      await server.close()
      // The protocol's own farewell.
      expect((await answer).body.at(-1)).toMatchObject({ id: 1, result: { resultType: 'complete' } })
    })
  })

  it('is hung up on when its token expires', async () => {
    const clock = movableClock()
    const { events, onEvent } = collector()
    await withServer('v2', { guard: makeGuard({ clock }), onEvent }, async (url) => {
      const message = modern(ask('subscriptions/listen', { notifications: { toolsListChanged: true } }))
      const answer = rpc(url, makeToken(), message, headersFor('subscriptions/listen'))
      await expect.poll(() => events).toHaveLength(1)
      clock.advance(590)
      // Whatever came of that has been told before a later call is answered.
      await rpc(url, makeToken(), call('read'))
      expect(events.map(({ type }) => type)).toEqual(['call', 'call'])
      clock.advance(11)
      expect((await answer).body).toMatchObject({ method: 'notifications/subscriptions/acknowledged' })
    })
    expect(events.at(-1)).toMatchObject({ type: 'ended', reason: 'expired' })
  })
})

describe('the client of SDK v1', () => {
  it.each([['v1' as const], ['v2' as const]])('uses a server of %s as its token allows', async (sdk) => {
    await withServer(sdk, {}, async (url) => {
      const client = await connectV1(url, makeToken())
      const { tools } = await client.listTools()
      expect(tools.map(({ name }) => name)).toEqual('delegate look read version wait whoami'.split(' '))
      expect(await client.callTool({ name: 'read' })).toMatchObject({ content: [{ text: 'read' }] })
      await expect(client.callTool({ name: 'copy' })).rejects.toThrow('insufficient_scope')
      await client.close()
    })
  })

  it('has a session that is its own', async () => {
    const { events, onEvent } = collector()
    let server: GuardedHttp | undefined
    await serving(
      async (origin) => {
        server = await buildV1({ onEvent }).http({ resource: `${origin}/mcp` })
        return server.node
      },
      async (origin) => {
        const url = `${origin}/mcp`
        const client = new ClientV1({ name: 'test', version: '1' })
        const transport = new TransportV1(new URL(url), withToken(makeToken('code:read', { sub: 'ada' })))
        await client.connect(transport as never)
        expect(await client.callTool({ name: 'whoami' })).toMatchObject({ content: [{ text: 'editor undefined' }] })
        const session = { 'mcp-session-id': transport.sessionId ?? '', 'mcp-protocol-version': '2025-11-25' }
        const status = async (sub: string, client_id = 'editor', more: Record<string, string> = session) =>
          (await rpc(url, makeToken('code:read', { sub, client_id }), call('read'), more)).status
        // A renewed token is another's bytes and the same caller's.
        expect(await status('ada')).toBe(200)
        expect(await status('bob')).toBe(404)
        expect(await status('ada', 'other')).toBe(404)
        expect(await status('ada', 'editor', { ...session, 'mcp-session-id': crypto.randomUUID() })).toBe(404)
        expect(await status('ada', 'editor', {})).toBe(400)
        expect((await rpc(url, undefined, call('version'), session)).status).toBe(404)
        // The session gives nothing that the token does not.
        const wide = makeToken('code:read code:write', { sub: 'ada' })
        expect((await rpc(url, wide, call('copy'), session)).status).toBe(200)
        expect((await rpc(url, makeToken('code:read', { sub: 'ada' }), call('copy'), session)).status).toBe(403)
        expect((await fetch(url, { method: 'DELETE', headers: { ...session, ...bearer('bob') } })).status).toBe(404)
        expect((await fetch(url, { method: 'DELETE', headers: { ...session, ...bearer('ada') } })).status).toBe(200)
        expect(await status('ada')).toBe(404)
        await client.close()
        await server?.close()
      },
    )
    const reasons = events.flatMap((event) => (event.type === 'refused' ? [event.reason] : []))
    expect(reasons).toContain('session_of_another')
    expect(reasons).toContain('session_unknown')
  })

  it('has its open stream ended with its token, and the next request with a new one goes on', async () => {
    const revocations = makeRevocations()
    let server: GuardedHttp | undefined
    await serving(
      async (origin) => {
        server = await buildV1({ guard: makeGuard({ revocations }) }).http({ resource: `${origin}/mcp` })
        return server.node
      },
      async (origin) => {
        const url = `${origin}/mcp`
        const opened = await rpc(
          url,
          makeToken('code:read', { sub: 'ada' }),
          ask('initialize', {
            protocolVersion: '2025-11-25',
            capabilities: {},
            clientInfo: { name: 'raw', version: '1' },
          }),
        )
        const session = { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '' }
        // A call that nobody waits for any more goes on in a session, until the token ends.
        seen.length = 0
        const hangUp = new AbortController()
        const accept = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' }
        const waiting = fetch(url, {
          ...{ method: 'POST', body: JSON.stringify(call('wait')), signal: hangUp.signal },
          headers: { ...session, ...bearer('ada'), ...accept },
        })
        await waiting
        hangUp.abort()
        const signal = seen[0] as AbortSignal
        const stream = await fetch(url, { headers: { ...session, ...bearer('ada'), accept: 'text/event-stream' } })
        expect(stream.status).toBe(200)
        const wasAborted = signal.aborted
        revocations.revoke('ada')
        expect(await stream.text()).toBe('')
        expect([wasAborted, signal.aborted]).toEqual([false, true])
        expect(
          (await fetch(url, { headers: { ...session, ...bearer('ada'), accept: 'text/event-stream' } })).status,
        ).toBe(401)
        await server?.close()
      },
    )
  })
})
