import { request as httpRequest } from 'node:http'
import { oidcProvider } from '@countersign/tokens'
import { describe, expect, it } from 'vitest'
import type { McpEvent } from '../src/index.ts'
import { collector, issuer, makeGuard, makeRevocations, makeToken, signLoosely } from './fixtures.ts'
import { ask, call, rpc, sdks, seen, withServer } from './worlds.ts'

const names = Object.keys(sdks) as (keyof typeof sdks)[]
const metadataOf = (url: string) => url.replace('/mcp', '/.well-known/oauth-protected-resource/mcp')
const textOf = (answer: { body: { result?: { content?: { text: string }[] } } }) =>
  answer.body.result?.content?.[0]?.text

/** Whether the text is anywhere in it, as far as properties, headers and seven steps lead. */
function finds(value: unknown, text: string, depth = 0, met: Set<unknown> = new Set()): boolean {
  if (typeof value === 'string') return value.includes(text)
  if (typeof value !== 'object' || value === null || depth > 7 || met.has(value)) return false
  met.add(value)
  if (value instanceof Headers) return [...value].some(([, one]) => one.includes(text))
  if (value instanceof Request && finds(value.headers, text, depth, met)) return true
  return Reflect.ownKeys(value).some((key) => finds(Reflect.get(value, key), text, depth + 1, met))
}

describe.each(names)('a server of SDK %s over HTTP', (sdk) => {
  it('asks for a token, with the scopes of the operation and no error', async () => {
    await withServer(sdk, {}, async (url) => {
      const { status, challenge, body } = await rpc(url, undefined, call('copy'))
      expect(status).toBe(401)
      expect(challenge).toBe(`Bearer scope="code:read code:write", resource_metadata="${metadataOf(url)}"`)
      expect(body).toEqual({ error: 'unauthorized', error_description: 'An access token is needed' })
    })
  })

  it('asks for the baseline where nothing particular is wanted', async () => {
    await withServer(sdk, { http: { baselineScopes: ['code:read'], realm: 'coder' } }, async (url) => {
      const { status, challenge } = await rpc(url, undefined, ask('tools/list'))
      expect(status).toBe(401)
      expect(challenge).toBe(`Bearer realm="coder", scope="code:read", resource_metadata="${metadataOf(url)}"`)
    })
  })

  it('answers 403 with all scopes of the operation, and runs nothing', async () => {
    await withServer(sdk, {}, async (url) => {
      seen.length = 0
      const { status, challenge, body } = await rpc(url, makeToken('code:read'), call('copy'))
      expect(status).toBe(403)
      expect(challenge).toBe(
        'Bearer error="insufficient_scope", error_description="The access token lacks a scope", ' +
          `scope="code:read code:write", resource_metadata="${metadataOf(url)}"`,
      )
      expect(body.error).toBe('insufficient_scope')
      await rpc(url, makeToken('code:read'), call('write', { path: 'a' }))
      expect(seen).toEqual([])
    })
  })

  it('runs what the token allows, for its principal', async () => {
    await withServer(sdk, {}, async (url) => {
      const token = makeToken('code:write', { sub: 'ada' })
      expect(textOf(await rpc(url, token, call('write', { path: 'a.ts' })))).toBe('ada wrote a.ts')
      expect(textOf(await rpc(url, token, call('version')))).toBe('1.0.0 for ada')
      expect(textOf(await rpc(url, undefined, call('version')))).toBe('1.0.0 for undefined')
      expect(
        (await rpc(url, token, ask('resources/read', { uri: 'file:///src/a' }))).body.result.contents[0].text,
      ).toBe('source of a')
      expect((await rpc(url, makeToken(), ask('resources/read', { uri: 'file:///readme' }))).status).toBe(200)
      const got = await rpc(url, makeToken(), ask('prompts/get', { name: 'review', arguments: { language: 'ts' } }))
      expect(got.body.result.messages[0].content.text).toBe('review ts')
    })
  })

  const refused: [what: string, message: unknown, scope: string][] = [
    ['a resource', ask('resources/read', { uri: 'file:///readme' }), 'code:read'],
    ['a resource under another spelling', ask('resources/read', { uri: 'FILE:///a/../readme' }), 'code:read'],
    ['a resource of a template', ask('resources/read', { uri: 'file:///src/a' }), 'code:write'],
    ['a subscription to a resource', ask('resources/subscribe', { uri: 'file:///src/a' }), 'code:write'],
    ['a prompt', ask('prompts/get', { name: 'review', arguments: { language: 'ts' } }), 'code:read'],
    [
      'completions of a prompt',
      ask('completion/complete', { ref: { type: 'ref/prompt', name: 'review' }, argument: { name: 'l', value: 'v' } }),
      'code:read',
    ],
    [
      'completions of a template',
      ask('completion/complete', {
        ref: { type: 'ref/resource', uri: 'file:///src/{name}' },
        argument: { name: 'name', value: 'v' },
      }),
      'code:write',
    ],
  ]
  it.each(refused)('guards %s', async (_what, message, scope) => {
    await withServer(sdk, {}, async (url) => {
      const { status, challenge } = await rpc(url, makeToken('code:run'), message)
      expect(status).toBe(403)
      expect(challenge).toContain(`scope="${scope}"`)
      expect((await rpc(url, undefined, message)).status).toBe(401)
    })
  })

  const now = Math.floor(Date.now() / 1000)
  const bad: [what: string, token: () => string, status: number][] = [
    ['is expired', () => makeToken('code:read', { iat: now - 700, exp: now - 60 }), 401],
    ['is for another server', () => makeToken('code:read', { aud: 'billing-worker' }), 401],
    ['is of another issuer', () => makeToken('code:read', { iss: 'https://evil.example.com' }), 401],
    ['was altered', () => `${makeToken().slice(0, -8)}AAAAAAAA`, 401],
    ['is no token', () => 'x', 401],
    ['is bound to a key, without a proof', () => makeToken('code:read', { cnf: { jkt: 'A'.repeat(43) } }), 401],
    ['is in no alphabet of tokens', () => 'a b', 400],
  ]
  it.each(bad)('refuses a token that %s, also for what is public', async (_what, token, status) => {
    await withServer(sdk, {}, async (url) => {
      for (const message of [call('read'), call('version'), ask('tools/list')]) {
        const answer = await rpc(url, token(), message)
        expect(answer.status).toBe(status)
        expect(answer.challenge).toContain(status === 400 ? 'invalid_request' : 'error="invalid_token"')
      }
    })
  })

  it('refuses a token for several servers, which a profile would take', async () => {
    const guard = makeGuard({ profile: { ...oidcProvider, audience: 'aud-or-list' } })
    await withServer(sdk, { guard }, async (url) => {
      const claims = {
        iss: issuer,
        sub: 'user_1',
        iat: now,
        exp: now + 600,
        client_id: 'web',
        jti: 'j',
        scope: 'code:read',
      }
      expect((await rpc(url, signLoosely({ ...claims, aud: 'coder' }), call('read'))).status).toBe(200)
      const forTwo = signLoosely({ ...claims, aud: ['coder', 'other'] })
      for (const name of ['read', 'write', 'version']) expect((await rpc(url, forTwo, call(name))).status).toBe(401)
    })
  })

  it('refuses a revoked token', async () => {
    const revocations = makeRevocations()
    await withServer(sdk, { guard: makeGuard({ revocations }) }, async (url) => {
      const token = makeToken()
      expect((await rpc(url, token, call('read'))).status).toBe(200)
      revocations.revoke('user_1')
      expect((await rpc(url, token, call('read'))).status).toBe(401)
    })
  })

  it('takes a token from one Authorization header and from nowhere else', async () => {
    await withServer(sdk, {}, async (url) => {
      const token = makeToken()
      expect((await rpc(`${url}?access_token=${token}`, undefined, call('read'))).status).toBe(400)
      expect((await rpc(url, undefined, call('read'), { cookie: `access_token=${token}` })).status).toBe(401)
      expect((await rpc(url, undefined, { ...call('read'), access_token: token })).status).toBe(401)
      expect(
        (await rpc(url, undefined, call('read'), { authorization: `Bearer ${token}, Bearer ${token}` })).status,
      ).toBe(400)
    })
  })

  it('lists what the token allows, in order of names', async () => {
    await withServer(sdk, {}, async (url) => {
      const list = async (method: string, field: string, key: string, token?: string) => {
        const { body } = await rpc(url, token, ask(method))
        return body.result[field].map((one: Record<string, string>) => one[key])
      }
      const read = makeToken('code:read')
      const both = makeToken('code:read code:write')
      expect(await list('tools/list', 'tools', 'name', read)).toEqual(
        'delegate look read version wait whoami'.split(' '),
      )
      expect(await list('tools/list', 'tools', 'name', both)).toEqual(
        'copy delegate look read version wait whoami write'.split(' '),
      )
      expect(await list('resources/list', 'resources', 'uri', read)).toEqual(['file:///open', 'file:///readme'])
      // What a template lists is shown only where it can be read.
      expect(await list('resources/list', 'resources', 'uri', both)).toEqual([
        'file:///open',
        'file:///readme',
        'file:///src/a',
      ])
      expect(await list('resources/templates/list', 'resourceTemplates', 'uriTemplate', read)).toEqual([])
      expect(await list('resources/templates/list', 'resourceTemplates', 'uriTemplate', both)).toEqual([
        'file:///src/{name}',
      ])
      expect(await list('prompts/list', 'prompts', 'name', makeToken(''))).toEqual(['hello'])
    })
  })

  it('lists a tool in the words of the SDK', async () => {
    await withServer(sdk, {}, async (url) => {
      const { body } = await rpc(url, makeToken('code:write'), ask('tools/list'))
      const write = body.result.tools.find(({ name }: { name: string }) => name === 'write')
      expect(write.inputSchema).toMatchObject({
        type: 'object',
        properties: { path: { type: 'string' } },
        required: ['path'],
      })
      // Protocols before 2026-07-28 know no cache hints.
      expect(body.result).not.toHaveProperty('cacheScope')
    })
  })

  it('leaves a monitor what has no side effects', async () => {
    await withServer(sdk, {}, async (url) => {
      const token = makeToken('code:read code:run', { synthetic: true })
      const { body } = await rpc(url, token, ask('tools/list'))
      expect(body.result.tools.map(({ name }: { name: string }) => name)).not.toContain('run')
      expect((await rpc(url, token, call('run'))).status).toBe(403)
      expect((await rpc(url, makeToken('code:run'), call('run'))).status).toBe(200)
    })
  })

  it('knows scopes that bring others along', async () => {
    const implies = { 'code:admin': ['code:write'], 'code:write': ['code:read'] } as const
    await withServer(sdk, { implies }, async (url) => {
      expect(textOf(await rpc(url, makeToken('code:admin'), call('copy')))).toBe('copied')
      expect((await rpc(url, makeToken('code:read'), call('copy'))).challenge).toContain('scope="code:read code:write"')
      expect((await rpc(url, makeToken('code:admin'), call('run'))).status).toBe(403)
      const { body } = await rpc(url, makeToken('code:admin'), ask('tools/list'))
      expect(body.result.tools.map(({ name }: { name: string }) => name)).toContain('copy')
    })
  })

  const undeclared: [what: string, message: unknown, code: number][] = [
    ['a tool', call('drop_tables'), -32_602],
    ['a tool by a name that every object has', call('constructor'), -32_602],
    ['a tool without a name', ask('tools/call', { arguments: {} }), -32_602],
    ['a tool by a list', call(['read']), -32_602],
    [
      'a tool by a name that its prototype would have',
      ask('tools/call', JSON.parse('{"__proto__":{"name":"read"}}')),
      -32_602,
    ],
    ['a resource', ask('resources/read', { uri: 'file:///etc/passwd' }), -32_602],
    ['a resource by no URI', ask('resources/read', { uri: 'readme' }), -32_602],
    ['a prompt', ask('prompts/get', { name: 'secret' }), -32_602],
    ['a method', ask('admin/wipe'), -32_601],
    ['a method of tasks', ask('tasks/list'), -32_601],
  ]
  it.each(undeclared)('knows nothing of %s that nobody declared', async (_what, message, code) => {
    const { events, onEvent } = collector()
    await withServer(sdk, { onEvent }, async (url) => {
      const { status, body } = await rpc(url, makeToken('code:read code:write'), message)
      expect([status, body.error?.code]).toEqual([200, code])
      expect((await rpc(url, undefined, message)).status).toBe(401)
    })
    expect(events[0]).toMatchObject({ type: 'call', decision: 'denied', code: 'undeclared' })
  })

  it('authorises every member of a batch', async () => {
    await withServer(sdk, {}, async (url) => {
      seen.length = 0
      const batch = [call('read', {}, 1), call('write', { path: 'a' }, 2)]
      const answer = await rpc(url, makeToken('code:read'), batch)
      expect([answer.status, answer.challenge?.includes('scope="code:read code:write"')]).toEqual([403, true])
      expect(seen).toEqual([])
      expect((await rpc(url, makeToken('code:read'), [call('read', {}, 1), call('nothing', {}, 2)])).status).toBe(400)
      expect((await rpc(url, undefined, [call('version', {}, 1), call('read', {}, 2)])).status).toBe(401)
      const good = await rpc(url, makeToken('code:read code:write'), batch)
      expect(good.body.map(({ id }: { id: number }) => id).sort()).toEqual([1, 2])
      expect((await rpc(url, makeToken(), Array(21).fill(call('read')))).status).toBe(400)
    })
  })

  const doors: [what: string, status: number, body: string, headers: Record<string, string>][] = [
    ['not JSON', 400, '{', {}],
    ['not UTF-8 in its length only', 400, '\u0000', {}],
    ['of another type', 415, '{}', { 'content-type': 'text/plain' }],
    ['of a type that only looks like JSON', 415, '{}', { 'content-type': 'text/plain; application/json' }],
    ['compressed', 415, '{}', { 'content-encoding': 'gzip' }],
    ['too large', 413, `"${'a'.repeat(1_048_576)}"`, {}],
  ]
  it.each(doors)('refuses a body that is %s', async (_what, status, body, headers) => {
    await withServer(sdk, {}, async (url) => {
      expect((await rpc(url, makeToken(), body, headers)).status).toBe(status)
    })
  })

  it.each([
    ['[]'],
    ['null'],
    ['1'],
    ['"tools/call"'],
    ['[null]'],
    ['{"method":{}}'],
    [`${'['.repeat(20_000)}${']'.repeat(20_000)}`],
  ])('takes no harm from %.20s', async (body) => {
    await withServer(sdk, {}, async (url) => {
      expect((await rpc(url, undefined, body)).status).toBe(401)
      expect((await rpc(url, makeToken(), body)).status).toBeLessThan(500)
    })
  })

  it('goes by what was said last where a body says something twice', async () => {
    await withServer(sdk, {}, async (url) => {
      const twice = (first: string, last: string) =>
        `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"${first}","name":"${last}","arguments":{}}}`
      expect((await rpc(url, makeToken(), twice('read', 'copy'))).status).toBe(403)
      expect(textOf(await rpc(url, makeToken(), twice('copy', 'read')))).toBe('read')
    })
  })

  it('sees a body that comes in pieces as one', async () => {
    await withServer(sdk, {}, async (url) => {
      const status = await new Promise<number | undefined>((resolve, reject) => {
        const headers = {
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          authorization: `Bearer ${makeToken('code:write')}`,
        }
        const request = httpRequest(url, { method: 'POST', headers }, (response) => {
          response.resume()
          resolve(response.statusCode)
        })
        request.on('error', reject)
        const body = Buffer.from(JSON.stringify(call('write', { path: 'Zürich' })))
        const middle = body.indexOf(0xc3) + 1
        request.write(body.subarray(0, middle))
        request.end(body.subarray(middle))
      })
      expect([status, seen.at(-1)]).toEqual([200, ['write', 'Zürich', 'user_1']])
    })
  })

  const pages: [what: string, headers: Record<string, string>, status: number][] = [
    ['its own name', {}, 200],
    ['a name of loopback', { host: 'localhost:1' }, 200],
    ['a name that was pointed at it', { host: 'evil.example.com' }, 403],
    ['such a name with its port', { host: 'evil.example.com:4700' }, 403],
    ['a name that begins like loopback', { host: '127.0.0.1.evil.example.com' }, 403],
    ['a page of another site', { origin: 'https://evil.example.com' }, 403],
    ['a page that hides where it is from', { origin: 'null' }, 403],
    ['a page of the very host', { host: 'localhost:1', origin: 'http://localhost:1' }, 200],
    ['a page of another port', { host: 'localhost:1', origin: 'http://localhost:2' }, 403],
  ]
  it.each(pages)('looks at Host and Origin: %s', async (_what, headers, status) => {
    const { events, onEvent } = collector()
    await withServer(sdk, { onEvent }, async (url) => {
      // `fetch` lets nobody choose a Host.
      const got = await new Promise<number | undefined>((resolve, reject) => {
        const all = {
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          authorization: `Bearer ${makeToken()}`,
          ...headers,
        }
        const request = httpRequest(url, { method: 'POST', headers: all }, (response) => {
          response.resume()
          resolve(response.statusCode)
        })
        request.on('error', reject)
        request.end(JSON.stringify(call('read')))
      })
      expect(got).toBe(status)
    })
    const reason = 'origin' in headers ? 'origin' : 'host'
    if (status === 403) expect(events).toEqual([{ type: 'refused', transport: 'http', reason }])
  })

  it('serves pages of the origins that it was given, and says so', async () => {
    await withServer(sdk, { http: { origins: ['https://app.example.com'] } }, async (url) => {
      const origin = 'https://app.example.com'
      const preflight = await fetch(url, { method: 'OPTIONS', headers: { origin } })
      expect(preflight.status).toBe(204)
      expect(preflight.headers.get('access-control-allow-origin')).toBe(origin)
      expect(preflight.headers.get('access-control-allow-headers')).toContain('Authorization')
      const denied = await rpc(url, undefined, call('read'), { origin })
      expect(denied.headers.get('access-control-allow-origin')).toBe(origin)
      expect(denied.headers.get('access-control-expose-headers')).toContain('WWW-Authenticate')
      expect((await rpc(url, makeToken(), call('read'), { origin: 'https://other.example.com' })).status).toBe(403)
      // Another name of this host is no page of ours then; the resource's own is.
      const { host, origin: own } = new URL(url)
      expect((await rpc(url, makeToken(), call('read'), { origin: `https://${host}` })).status).toBe(403)
      expect((await rpc(url, makeToken(), call('read'), { origin: own })).status).toBe(200)
    })
  })

  it('describes itself at both well-known places, with no more scopes than the baseline', async () => {
    await withServer(sdk, { http: { baselineScopes: ['code:read'] } }, async (url) => {
      for (const place of [metadataOf(url), url.replace('/mcp', '/.well-known/oauth-protected-resource')]) {
        const response = await fetch(place)
        expect(response.headers.get('access-control-allow-origin')).toBe('*')
        expect(await response.json()).toEqual({
          resource: url,
          authorization_servers: [issuer],
          scopes_supported: ['code:read'],
          bearer_methods_supported: ['header'],
        })
      }
      expect((await fetch(metadataOf(url), { method: 'POST' })).status).toBe(405)
    })
    await withServer(sdk, {}, async (url) => {
      expect(await (await fetch(metadataOf(url))).json()).not.toHaveProperty('scopes_supported')
    })
  })

  it('shows its catalogue to who has a token, or to everybody, or to nobody', async () => {
    const read = async (url: string, token?: string, accept = 'application/json') => {
      const headers = { accept, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) }
      const response = await fetch(`${url}/catalogue`, { headers })
      return { status: response.status, text: await response.text() }
    }
    await withServer(sdk, {}, async (url) => {
      expect((await read(url)).status).toBe(401)
      const { entries } = JSON.parse((await read(url, makeToken(''))).text)
      expect(entries).toContainEqual({ kind: 'tool', name: 'read', description: 'Reads', access: ['code:read'] })
      expect(entries).toContainEqual({ kind: 'prompt', name: 'hello', access: 'public' })
    })
    await withServer(sdk, { http: { catalogue: 'public' } }, async (url) => {
      const { text } = await read(url, undefined, 'text/html')
      expect(text).toContain('<td><code>read</code></td><td>Reads</td><td><code>code:read</code></td>')
    })
    await withServer(sdk, { http: { catalogue: 'none' } }, async (url) => {
      expect((await read(url, makeToken(''))).status).toBe(404)
    })
  })

  it('opens connections to nobody in particular only where it was told to', async () => {
    await withServer(sdk, {}, async (url) => {
      expect((await rpc(url, undefined, ask('tools/list'))).status).toBe(401)
    })
    await withServer(sdk, { http: { anonymous: true } }, async (url) => {
      const { body } = await rpc(url, undefined, ask('tools/list'))
      expect(body.result.tools.map(({ name }: { name: string }) => name)).toEqual(['version'])
      expect((await rpc(url, undefined, call('whoami'))).status).toBe(401)
      expect((await rpc(url, 'x', ask('tools/list'))).status).toBe(401)
    })
  })

  it('tells of each call who made it and what was decided, and of nothing that is secret', async () => {
    const { events, onEvent } = collector()
    const trace = '4bf92f3577b34da6a3ce929d0e0e4736'
    const token = makeToken('code:read', {
      ...{ sub: 'ada', client_id: 'orchestrator', jti: 'token-1' },
      act: { sub: 'orchestrator', client_id: 'orchestrator', act: { sub: 'editor', client_id: 'editor' } },
    })
    await withServer(sdk, { onEvent }, async (url) => {
      const traceparent = `00-${trace}-00f067aa0ba902b7-01`
      expect(textOf(await rpc(url, token, call('whoami'), { traceparent }))).toBe(`orchestrator ${trace}`)
      await rpc(url, token, call('write', { path: 'secret' }))
      await rpc(url, undefined, call('read'))
      await rpc(url, token, { ...ask('tools/call', { name: 'whoami', _meta: { traceparent } }) })
      await rpc(url, token, { jsonrpc: '2.0', method: 'notifications/initialized' })
    })
    const caller = {
      issuer,
      subject: 'ada',
      clientId: 'orchestrator',
      tokenId: 'token-1',
      actors: ['orchestrator', 'editor'],
    }
    const basis = { type: 'call', transport: 'http', method: 'tools/call' } as const
    expect(events).toEqual([
      { ...basis, name: 'whoami', decision: 'admitted', caller, traceId: trace },
      {
        ...{ ...basis, name: 'write', decision: 'denied', code: 'insufficient_scope' },
        ...{ missingScopes: ['code:write'], caller },
      },
      { ...basis, name: 'read', decision: 'denied', code: 'no_token' },
      { ...basis, name: 'whoami', decision: 'admitted', caller, traceId: trace },
    ] satisfies McpEvent[])
  })

  it('keeps the token from its handlers', async () => {
    await withServer(sdk, {}, async (url) => {
      const token = makeToken()
      await rpc(url, token, call('look'), { cookie: `session=${token}` })
      // What the headers say beside it is there to be found.
      expect([finds(seen.at(-1), token), finds(seen.at(-1), 'text/event-stream')]).toEqual([false, true])
    })
  })

  it('exchanges the token by the exchange that it was given, never handing on the same', async () => {
    const asked: string[] = []
    const exchange = { tester: async (token: string) => `${asked.push(token)}-exchanged` }
    await withServer(sdk, { exchange }, async (url) => {
      const token = makeToken()
      expect(textOf(await rpc(url, token, call('delegate')))).toBe('1-exchanged')
      expect(asked).toEqual([token])
    })
    await withServer(sdk, { exchange: { tester: async (token) => token } }, async (url) => {
      const { body } = await rpc(url, makeToken(), call('delegate'))
      expect([body.result.isError, body.result.content[0].text]).toEqual([
        true,
        'The exchange "tester" gave the caller\'s own token.',
      ])
    })
    await withServer(sdk, {}, async (url) => {
      const { body } = await rpc(url, makeToken(), call('delegate'))
      expect(body.result.content[0].text).toContain('There is no exchange')
    })
  })

  it('ends a call under way, and its stream, when its token is revoked', async () => {
    const revocations = makeRevocations()
    const { events, onEvent } = collector()
    await withServer(sdk, { guard: makeGuard({ revocations }), onEvent }, async (url) => {
      seen.length = 0
      const answer = rpc(url, makeToken(), call('wait'), { 'mcp-protocol-version': '2025-11-25' })
      await expect.poll(() => seen).toHaveLength(1)
      revocations.revoke('user_1')
      const { body } = await answer
      expect(JSON.stringify(body ?? {})).not.toContain('too late')
      expect((seen[0] as AbortSignal).aborted).toBe(true)
    })
    expect(events.at(-1)).toMatchObject({ type: 'ended', reason: 'revoked', caller: { subject: 'user_1' } })
  })

  it('answers nothing any more once it is closed', async () => {
    await withServer(sdk, {}, async (url, server) => {
      await server.close()
      expect((await rpc(url, makeToken(), call('read'))).status).toBe(503)
    })
  })

  it('serves the web’s own requests as it serves those of Node', async () => {
    await withServer(sdk, {}, async (url, server) => {
      const send = (token: string, message: unknown) =>
        server.fetch(
          new Request(url, {
            method: 'POST',
            headers: {
              'content-type': 'application/json',
              accept: 'application/json, text/event-stream',
              authorization: `Bearer ${token}`,
            },
            body: JSON.stringify(message),
          }),
        )
      expect(await (await send(makeToken(), call('read'))).text()).toContain('"text":"read"')
      expect((await send(makeToken('code:run'), call('read'))).status).toBe(403)
      expect((await server.fetch(new Request(`${url}/other`))).status).toBe(404)
      expect((await server.fetch(new Request(metadataOf(url)))).status).toBe(200)
    })
  })
})
