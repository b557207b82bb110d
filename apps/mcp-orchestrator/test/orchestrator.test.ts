import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ask, connect, type LogLine, later, soon, startTestFleet, type TestFleet } from './fleet.ts'

let fleet: TestFleet
beforeAll(async () => {
  fleet = await startTestFleet()
})
afterAll(() => fleet.close())

/** The calls that a server was asked for since then. */
function callsSince(of: 'coder' | 'orchestrator', length: number): readonly LogLine[] {
  return fleet
    .lines(of)
    .slice(length)
    .filter(({ msg, method }) => msg === 'mcp call' && method === 'tools/call')
}

const everything = [
  { do: 'write', path: 'hello.sh', text: 'echo hello $1\n' },
  { do: 'run', argv: ['sh', 'hello.sh', 'Ada'] },
  { do: 'read', path: 'hello.sh' },
  { do: 'search', query: 'hello' },
  { do: 'list' },
  { do: 'remove', path: 'hello.sh' },
]

describe('a task', () => {
  it('is run at the coder, in the name of whoever asked, who acts being named', async () => {
    const { token } = await fleet.signIn('mcp-orchestrator')
    const client = await connect(fleet.orchestrator.endpoint, token)
    const from = fleet.lines('coder').length
    const report = await ask(client, 'run_task', { goal: 'greet', steps: everything })
    expect(report).toMatchObject({ state: 'done', steps: { length: 6 } })
    expect(report.steps[1].answer).toMatchObject({ exit_code: 0, stdout: 'hello Ada\n' })

    const { subject, clientId } = whoIs(token)
    const calls = callsSince('coder', from)
    expect(calls.map(({ target }) => target)).toEqual([
      'write_file',
      'run_command',
      'read_file',
      'search',
      'list_files',
      'remove_file',
    ])
    for (const call of calls) {
      // `sub` is the person; `act` is the orchestrator, which also is whom the token was given to.
      expect(call).toMatchObject({ outcome: 'admitted', subject, actor: fleet.orchestrator.clientId })
      expect(call.client).toBe(fleet.orchestrator.clientId)
      expect(call.client).not.toBe(clientId)
    }
  })

  it('takes for each step a token that is good for that step, and none twice', async () => {
    const { token } = await fleet.signIn('mcp-orchestrator')
    const before = (await fleet.audited('token.exchange')).length
    const client = await connect(fleet.orchestrator.endpoint, token)
    await ask(client, 'run_task', { goal: 'greet', steps: [...everything, { do: 'list' }] })
    const exchanges = (await fleet.audited('token.exchange')).slice(before)
    expect(exchanges.map(({ details }) => details)).toMatchObject([
      { from: 'mcp-orchestrator', audience: 'mcp-coder', scope: 'coder:write', as: 'delegation' },
      { from: 'mcp-orchestrator', audience: 'mcp-coder', scope: 'coder:run', as: 'delegation' },
      { from: 'mcp-orchestrator', audience: 'mcp-coder', scope: 'coder:read', as: 'delegation' },
    ])
  })

  it('works with one scope that brings along the others', async () => {
    const { token } = await fleet.signIn('mcp-orchestrator', 'tasks:run coder:run')
    const client = await connect(fleet.orchestrator.endpoint, token)
    expect(await ask(client, 'run_task', { goal: 'greet', steps: everything })).toMatchObject({ state: 'done' })
    expect(await ask(client, 'run_reading_task', { goal: 'look', steps: [{ do: 'list' }] })).toMatchObject({
      state: 'done',
    })
  })

  it('never hands the caller’s token on', async () => {
    const { token } = await fleet.signIn('mcp-orchestrator')
    const client = await connect(fleet.orchestrator.endpoint, token)
    const from = fleet.lines('coder').length
    await ask(client, 'run_reading_task', { goal: 'look', steps: [{ do: 'list' }] })
    const { tokenId } = whoIs(token)
    for (const call of callsSince('coder', from)) expect(call.token_id).not.toBe(tokenId)
    const logs = JSON.stringify([fleet.lines('coder'), fleet.lines('orchestrator')])
    expect(logs).not.toContain(token)
    expect(logs).not.toContain(token.split('.')[2])
  })

  it('ends at the first step that fails, with its reason', async () => {
    const { token } = await fleet.signIn('mcp-orchestrator')
    const client = await connect(fleet.orchestrator.endpoint, token)
    const run = (step: object) =>
      ask(client, 'run_task', { goal: 'fail', steps: [{ do: 'list' }, step, { do: 'write', path: 'after', text: '' }] })
    const failed = { state: 'failed', steps: { length: 2 } }
    const absent = await run({ do: 'read', path: 'absent' })
    expect(absent).toMatchObject({ ...failed, steps: [{ ok: true }, { ok: false }] })
    expect(absent.steps[1].error).toMatch(/^not_found/)
    expect((await run({ do: 'read', path: '../../etc/passwd' })).steps[1].error).toMatch(/^bad_path/)
    expect((await run({ do: 'run', argv: ['sh', '-c', 'echo no >&2; exit 4'] })).steps[1].error).toBe(
      'command: exit code 4 no\n',
    )
    expect((await run({ do: 'run', argv: ['curl', 'http://127.0.0.1'] })).steps[1].error).toMatch(/^no_command/)
    expect((await ask(client, 'run_reading_task', { goal: 'look', steps: [{ do: 'list' }] })).steps[0].answer).toEqual({
      entries: [],
      is_cut: false,
    })
  })

  it('is in the workspace of its subject', async () => {
    const write = { goal: 'mine', steps: [{ do: 'write', path: 'mine.txt', text: 'of Ada' }] }
    const ada = await connect(fleet.orchestrator.endpoint, (await fleet.signIn('mcp-orchestrator')).token)
    expect(await ask(ada, 'run_writing_task', write)).toMatchObject({ state: 'done' })
    const bob = await connect(fleet.orchestrator.endpoint, (await fleet.signIn('mcp-orchestrator', '', 'bob')).token)
    const read = { goal: 'pry', steps: [{ do: 'read', path: 'mine.txt' }] }
    expect(await ask(bob, 'run_reading_task', read)).toMatchObject({ state: 'failed' })
    // The same person meets the same files at the coder itself.
    const direct = await connect(fleet.coder.endpoint, (await fleet.signIn('mcp-coder')).token)
    expect(await ask(direct, 'read_file', { path: 'mine.txt' })).toMatchObject({ text: 'of Ada' })
    await ask(direct, 'remove_file', { path: 'mine.txt' })
  })

  it('tells how far it is', async () => {
    const { token } = await fleet.signIn('mcp-orchestrator')
    const client = await connect(fleet.orchestrator.endpoint, token)
    const told: { readonly progress: number; readonly total?: number | undefined }[] = []
    const steps = [{ do: 'list' }, { do: 'list' }]
    const onprogress = (progress: (typeof told)[number]): void => void told.push(progress)
    await client.callTool({ name: 'run_reading_task', arguments: { goal: 'look', steps } }, { onprogress })
    expect(told.map(({ progress }) => progress)).toEqual([...told.map(({ progress }) => progress)].sort())
    expect(told.at(-1)).toMatchObject({ progress: 2, total: 2 })
  })

  it('can be seen, and stopped with its command, by whose it is', async () => {
    const { token } = await fleet.signIn('mcp-orchestrator')
    const client = await connect(fleet.orchestrator.endpoint, token)
    const steps = [{ do: 'list' }, { do: 'run', argv: ['sh', '-c', 'sleep 30'] }]
    const running = ask(client, 'run_task', { goal: 'wait', steps })
    await expect.poll(() => fleet.coder.running(), soon).toBe(1)
    const { tasks } = await ask(client, 'task_status')
    expect(tasks[0]).toMatchObject({ goal: 'wait', state: 'running', steps: [{ state: 'done' }, { state: 'running' }] })
    const { task } = tasks[0]
    const bob = await connect(fleet.orchestrator.endpoint, (await fleet.signIn('mcp-orchestrator', '', 'bob')).token)
    expect(await ask(bob, 'task_status', { task })).toMatch(/^no_task/)
    expect(await ask(bob, 'stop_task', { task })).toMatch(/^no_task/)
    expect((await ask(bob, 'task_status')).tasks).not.toContainEqual(expect.objectContaining({ task }))
    await ask(client, 'stop_task', { task })
    expect(await running).toMatchObject({ state: 'stopped' })
    await expect.poll(() => fleet.coder.running(), soon).toBe(0)
    expect((await ask(client, 'task_status', { task })).tasks).toMatchObject([{ state: 'stopped' }])
  })

  it('ends with its command when the caller hangs up', async () => {
    const { token } = await fleet.signIn('mcp-orchestrator')
    const client = await connect(fleet.orchestrator.endpoint, token)
    const steps = [{ do: 'run', argv: ['sh', '-c', 'sleep 30'] }]
    const hangUp = new AbortController()
    const running = client.callTool({ name: 'run_task', arguments: { goal: 'wait', steps } }, { signal: hangUp.signal })
    await expect.poll(() => fleet.coder.running(), soon).toBe(1)
    hangUp.abort()
    await expect(running).rejects.toThrow()
    await expect.poll(() => fleet.coder.running(), soon).toBe(0)
  })
})

describe('a plan', () => {
  it('says which tool, which scopes and what is missing, and runs nothing', async () => {
    const { token } = await fleet.signIn('mcp-orchestrator', 'tasks:read coder:read')
    const client = await connect(fleet.orchestrator.endpoint, token)
    const from = fleet.lines('coder').length
    expect(await ask(client, 'plan_task', { goal: 'greet', steps: everything.slice(0, 3) })).toEqual({
      tool: 'run_task',
      scopes: ['tasks:run', 'coder:run'],
      missing_scopes: ['tasks:run', 'coder:run'],
      steps: [
        { tool: 'write_file', scope: 'coder:write' },
        { tool: 'run_command', scope: 'coder:run' },
        { tool: 'read_file', scope: 'coder:read' },
      ],
    })
    expect(await ask(client, 'plan_task', { goal: 'look', steps: [{ do: 'list' }] })).toMatchObject({
      tool: 'run_reading_task',
      missing_scopes: ['tasks:run'],
    })
    expect(fleet.lines('coder')).toHaveLength(from)
  })

  it.each([
    ['no steps', []],
    ['too many', Array.from({ length: 21 }, () => ({ do: 'list' }))],
    ['an unknown one', [{ do: 'delete-everything' }]],
    ['one with more than it takes', [{ do: 'list', token: 'x' }]],
  ])('of %s is none', async (_what, steps) => {
    const { token } = await fleet.signIn('mcp-orchestrator')
    const client = await connect(fleet.orchestrator.endpoint, token)
    const outcome = await ask(client, 'plan_task', { goal: 'x', steps }).catch((error: unknown) => String(error))
    expect(outcome).toMatch(/invalid/i)
  })

  it('for less than a step needs is refused by the smaller tools', async () => {
    const { token } = await fleet.signIn('mcp-orchestrator')
    const client = await connect(fleet.orchestrator.endpoint, token)
    for (const tool of ['run_reading_task', 'run_writing_task']) {
      const steps = [{ do: 'run', argv: ['ls'] }]
      const outcome = await ask(client, tool, { goal: 'x', steps }).catch((error: unknown) => String(error))
      expect(outcome).toMatch(/plan_task says/)
    }
  })
})

describe('who may', () => {
  const call = (endpoint: string, token: string | undefined, name: string, args: object = {}): Promise<Response> =>
    fetch(endpoint, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2025-11-25',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: args } }),
    })

  it('a token of each audience is good for that one only', async () => {
    const ofCoder = await fleet.signIn('mcp-coder')
    const ofOrchestrator = await fleet.signIn('mcp-orchestrator')
    for (const [endpoint, token] of [
      [fleet.coder.endpoint, ofOrchestrator.token],
      [fleet.orchestrator.endpoint, ofCoder.token],
    ] as const) {
      const response = await call(endpoint, token, 'list_files')
      expect(response.status).toBe(401)
      expect(response.headers.get('www-authenticate')).toContain('invalid_token')
      await expect(connect(endpoint, token)).rejects.toThrow()
    }
  })

  it('nobody without a token, who is told where to get one', async () => {
    for (const server of [fleet.coder, fleet.orchestrator]) {
      const response = await call(server.endpoint, undefined, 'list_files')
      expect(response.status).toBe(401)
      const [, metadata = ''] = /resource_metadata="([^"]+)"/.exec(response.headers.get('www-authenticate') ?? '') ?? []
      const document = await (await fetch(metadata)).json()
      expect(document).toMatchObject({ resource: server.endpoint, authorization_servers: [fleet.issuer] })
    }
  })

  it.each([
    ['tasks:read', 'run_task', { goal: 'x', steps: [{ do: 'run', argv: ['ls'] }] }, 'tasks:run coder:run'],
    ['tasks:run coder:read', 'run_writing_task', { goal: 'x', steps: [{ do: 'list' }] }, 'tasks:run coder:write'],
    ['coder:run', 'stop_task', { task: crypto.randomUUID() }, 'tasks:run'],
  ])('a token with %s is told all that %s takes, before anything runs', async (scope, name, args, needed) => {
    const { token } = await fleet.signIn('mcp-orchestrator', scope)
    const response = await call(fleet.orchestrator.endpoint, token, name, args)
    const challenge = response.headers.get('www-authenticate') ?? ''
    expect({ status: response.status, challenge }).toEqual({
      status: 403,
      challenge: expect.stringContaining('error="insufficient_scope"'),
    })
    expect(challenge).toContain(`scope="${needed}"`)
  })

  it('each at the coder needs its scope, and one brings along those below it', async () => {
    const allowed = async (scope: string): Promise<readonly number[]> => {
      const { token } = await fleet.signIn('mcp-coder', scope)
      const calls: readonly (readonly [name: string, args: object])[] = [
        ['list_files', {}],
        ['write_file', { path: 'x', text: 'x' }],
        ['run_command', { argv: ['ls'] }],
      ]
      return Promise.all(
        calls.map(async ([name, args]) => (await call(fleet.coder.endpoint, token, name, args)).status),
      )
    }
    expect(await allowed('coder:read')).toEqual([200, 403, 403])
    expect(await allowed('coder:write')).toEqual([200, 200, 403])
    expect(await allowed('coder:run')).toEqual([200, 200, 200])
  })

  it('calls a tool that was declared, and no other', async () => {
    const { token } = await fleet.signIn('mcp-coder')
    const client = await connect(fleet.coder.endpoint, token)
    const { tools } = await client.listTools()
    const names = ['list_files', 'read_file', 'remove_file', 'run_command', 'search', 'write_file']
    expect(tools.map(({ name }) => name)).toEqual(names)
    for (const name of ['constructor', 'close', 'run_task', 'READ_FILE']) {
      await expect(client.callTool({ name, arguments: {} })).rejects.toThrow()
    }
    const from = fleet.lines('coder').length
    await call(fleet.coder.endpoint, token, 'no_such_tool')
    expect(callsSince('coder', from)).toMatchObject([{ outcome: 'denied', code: 'undeclared' }])
  })

  it('sees the tools that its token is good for', async () => {
    const seen = async (endpoint: string, token: string): Promise<readonly string[]> =>
      (await (await connect(endpoint, token)).listTools()).tools.map(({ name }) => name)
    const { token } = await fleet.signIn('mcp-orchestrator', 'tasks:run coder:write')
    expect(await seen(fleet.orchestrator.endpoint, token)).toEqual([
      'plan_task',
      'run_reading_task',
      'run_writing_task',
      'stop_task',
      'task_status',
    ])
    const reader = await fleet.signIn('mcp-coder', 'coder:read')
    expect(await seen(fleet.coder.endpoint, reader.token)).toEqual(['list_files', 'read_file', 'search'])
  })

  it('says who it is, at each of them', async () => {
    const { token } = await fleet.signIn('mcp-orchestrator')
    const response = await fetch(`${fleet.orchestrator.url}/whoami`, { headers: { authorization: `Bearer ${token}` } })
    const body = (await response.json()) as { issued_at: number; expires_at: number }
    expect(body).toMatchObject({ subject: whoIs(token).subject, audience: 'mcp-orchestrator' })
    expect(body.expires_at - body.issued_at).toBe(7_200)
    expect((await fetch(`${fleet.coder.url}/healthz`)).status).toBe(200)
    expect((await fetch(`${fleet.coder.url}/nowhere`)).status).toBe(404)
  })
})

describe('a client of protocol 2025-11-25', () => {
  it('runs a task as well', async () => {
    const { token } = await fleet.signIn('mcp-orchestrator')
    const client = new ClientV1({ name: 'older', version: '1.0.0' })
    const requestInit = { headers: { authorization: `Bearer ${token}` } }
    // The SDK's own types do not fit each other under exactOptionalPropertyTypes.
    const transport = new TransportV1(new URL(fleet.orchestrator.endpoint), { requestInit })
    await client.connect(transport as Parameters<typeof client.connect>[0])
    later(() => client.close())
    const result = await client.callTool({
      name: 'run_task',
      arguments: { goal: 'greet', steps: [{ do: 'run', argv: ['sh', '-c', 'echo older'] }] },
    })
    expect(result.structuredContent).toMatchObject({ state: 'done', steps: [{ answer: { stdout: 'older\n' } }] })
  })
})

function whoIs(token: string): { readonly subject: string; readonly clientId: string; readonly tokenId: string } {
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
  return { subject: claims.sub, clientId: claims.client_id, tokenId: claims.jti }
}
