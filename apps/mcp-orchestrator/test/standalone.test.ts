import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '@countersign-apps/kit/testing'
import { Client, ClientCredentialsProvider, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type RunningStandalone, type StandaloneOptions, startStandalone } from '../src/start-standalone.ts'
import { ask, connect, later, soon } from './fleet.ts'

const password = 'correct horse battery staple'
const main = new URL('../dist/main.js', import.meta.url).pathname

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'countersign-alone-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function start(
  options: Partial<StandaloneOptions> = {},
): Promise<RunningStandalone & { readonly endpoint: string }> {
  const running = await startStandalone({
    dataDir: join(folder, 'data'),
    workspaces: join(folder, 'workspaces'),
    port: 0,
    logDestination: { write: () => true },
    ...options,
  })
  later(() => running.close())
  return { ...running, endpoint: `${running.url}/mcp` }
}

async function signIn(url: string, identifier: string): Promise<{ readonly status: number; readonly body: Tokens }> {
  const response = await fetch(`${url}/auth/sign-in`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ identifier, secret: password, client_id: 'mcp-orchestrator' }),
  })
  return { status: response.status, body: (await response.json()) as Tokens }
}

interface Tokens {
  readonly access_token: string
  readonly refresh_token: string
  readonly expires_in: number
}

const everything = [
  { do: 'write', path: 'hello.sh', text: 'echo hello\n' },
  { do: 'run', argv: ['sh', 'hello.sh'] },
]

describe('an orchestrator that runs alone', () => {
  it('has accounts of its own, whose tokens live two hours, and runs tasks in its own process', async () => {
    const { url, auth, endpoint } = await start()
    await auth.users.add('ada', password)
    const { status, body } = await signIn(url, 'ada')
    expect({ status, life: body.expires_in }).toEqual({ status: 200, life: 7_200 })
    const client = await connect(endpoint, body.access_token)
    expect(await ask(client, 'run_task', { goal: 'greet', steps: everything })).toMatchObject({
      state: 'done',
      steps: [{ ok: true }, { answer: { stdout: 'hello\n' } }],
    })
    const status404 = await ask(client, 'run_reading_task', { goal: 'x', steps: [{ do: 'read', path: 'absent' }] })
    expect(status404.steps[0].error).toMatch(/^not_found/)
  })

  it('holds each account to its scopes', async () => {
    const { url, auth, endpoint } = await start()
    await auth.users.add('reader', password, { scopes: ['tasks:run', 'coder:read'] })
    const client = await connect(endpoint, (await signIn(url, 'reader')).body.access_token)
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual([
      'plan_task',
      'run_reading_task',
      'stop_task',
      'task_status',
    ])
    await expect(ask(client, 'run_task', { goal: 'greet', steps: everything })).rejects.toMatchObject({
      name: 'InsufficientScopeError',
      requiredScope: 'tasks:run coder:run',
    })
    expect(await ask(client, 'run_reading_task', { goal: 'look', steps: [{ do: 'list' }] })).toMatchObject({
      state: 'done',
    })
  })

  it('serves programs by client credentials', async () => {
    const { url, auth, endpoint } = await start()
    const { id, secret } = await auth.clients.create('nightly', { scopes: ['tasks:run', 'coder:write'] })
    const response = await fetch(`${url}/oauth/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`${id}:${secret}`)}` },
      body: new URLSearchParams({ grant_type: 'client_credentials' }),
    })
    const { access_token } = (await response.json()) as Tokens
    const client = await connect(endpoint, access_token)
    const steps = [{ do: 'write', path: 'a', text: 'a' }]
    expect(await ask(client, 'run_writing_task', { goal: 'write', steps })).toMatchObject({ state: 'done' })
  })

  it('tells the SDK’s own provider all that it has to know: where tokens are, and once what a tool takes', async () => {
    const { url, auth, endpoint } = await start()
    const { id, secret } = await auth.clients.create('nightly')
    const authProvider = new ClientCredentialsProvider({ clientId: id, clientSecret: secret, expectedIssuer: url })
    const answers: string[] = []
    const client = new Client(
      { name: 'nightly', version: '1.0.0' },
      { versionNegotiation: { mode: { pin: '2026-07-28' } } },
    )
    const transport = new StreamableHTTPClientTransport(new URL(endpoint), {
      authProvider,
      fetch: async (...given) => {
        const response = await fetch(...given)
        answers.push(`${new URL(response.url).pathname} ${response.status}`)
        return response
      },
    })
    await client.connect(transport)
    later(() => client.close())
    // What it asked for at first is the least: the scope of the challenge.
    expect(authProvider.tokens()?.scope).toBe('tasks:read')
    answers.length = 0
    expect(await ask(client, 'run_task', { goal: 'greet', steps: everything })).toMatchObject({ state: 'done' })
    expect(answers.filter((answer) => answer.endsWith(' 403'))).toEqual(['/mcp 403'])
    expect(new Set(authProvider.tokens()?.scope?.split(' '))).toEqual(new Set(['tasks:read', 'tasks:run', 'coder:run']))
  })

  it('ends a command, its stream and its task when the user is disabled', async () => {
    const { url, auth, endpoint } = await start()
    await auth.users.add('ada', password)
    const client = await connect(endpoint, (await signIn(url, 'ada')).body.access_token)
    const stream = await client.listen({ toolsListChanged: true })
    const steps = [{ do: 'run', argv: ['sh', '-c', 'sleep 30'] }]
    const task = ask(client, 'run_task', { goal: 'wait', steps }).catch((error: unknown) => error)
    await expect.poll(async () => (await ask(client, 'task_status')).tasks[0]?.steps[0].state, soon).toBe('running')
    await auth.users.disable('ada')
    expect(await stream.closed).toBe('remote')
    expect(await task).toBeInstanceOf(Error)
    await expect(client.listTools()).rejects.toThrow()
  })

  it('takes no token of another directory', async () => {
    const one = await start()
    const two = await start({ dataDir: join(folder, 'other'), workspaces: join(folder, 'other-workspaces') })
    await one.auth.users.add('ada', password)
    const { access_token } = (await signIn(one.url, 'ada')).body
    await expect(connect(two.endpoint, access_token)).rejects.toThrow()
    const response = await fetch(`${two.url}/whoami`, { headers: { authorization: `Bearer ${access_token}` } })
    expect(response.status).toBe(401)
  })

  it('has no command tool where there is no sandbox, and runs what needs none', async () => {
    const { url, auth, endpoint, noCommands } = await start({ commands: 'off' })
    expect(noCommands).toBe('switched off')
    await auth.users.add('ada', password)
    const client = await connect(endpoint, (await signIn(url, 'ada')).body.access_token)
    const report = await ask(client, 'run_task', { goal: 'greet', steps: everything })
    expect(report).toMatchObject({ state: 'failed', steps: [{ ok: true }, { ok: false }] })
    expect(report.steps[1].error).toMatch(/^no_tool/)
  })
})

describe('the program', () => {
  const children: ChildProcess[] = []
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
  })

  function run(args: readonly string[], env: Readonly<Record<string, string>>, input = '') {
    const child = spawn(process.execPath, [main, ...args], {
      cwd: folder,
      env: { PATH: process.env.PATH ?? '', ...env },
    })
    children.push(child)
    let printed = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        printed += text
      })
    }
    child.stdin.on('error', () => undefined)
    child.stdin.end(input)
    const code = new Promise<number | null>((resolve) => child.once('close', resolve))
    return { child, code, printed: () => printed }
  }

  it('runs alone: accounts are added beside it, by a password on stdin, and it ends with 0', async () => {
    const port = await freePort()
    const env = { ORCHESTRATOR_MODE: 'standalone', PORT: String(port) }
    const { child, code, printed } = run([], env)
    await expect.poll(printed).toContain('listens')
    const added = run(['add', 'user', 'ada', 'tasks:run', 'coder:run'], env, `${password}\n`)
    expect({ code: await added.code, printed: added.printed() }).toEqual({
      code: 0,
      printed: expect.stringMatching(/^added ada as user_/),
    })
    const program = run(['add', 'client', 'nightly', 'tasks:run', 'coder:read'], env)
    expect(await program.code).toBe(0)
    expect(program.printed()).toMatch(/^client_id=client_\S+\nclient_secret=\S{20,}\n$/)
    const url = `http://127.0.0.1:${port}`
    const { body } = await signIn(url, 'ada')
    const client = await connect(`${url}/mcp`, body.access_token)
    expect(await ask(client, 'run_task', { goal: 'greet', steps: everything })).toMatchObject({ state: 'done' })
    child.kill('SIGTERM')
    expect(await code).toBe(0)
    expect((await stat(join(folder, '.mcp-orchestrator'))).mode & 0o777).toBe(0o700)
    expect(await readdir(folder)).toEqual(['.mcp-coder', '.mcp-orchestrator'])
  })

  it('ends with 2 for what is missing, and for words that it does not know', async () => {
    const runs = [run([], {}), run(['add', 'robot', 'x'], {})]
    expect(await Promise.all(runs.map(({ code }) => code))).toEqual([2, 2])
    const [noAccount, noKind] = runs.map(({ printed }) => printed())
    expect(noAccount).toContain('CLIENT_ID')
    expect(noKind).toContain('user|client')
  })

  it('ends with 1 for a password that is too weak', async () => {
    const { code, printed } = run(['add', 'user', 'ada'], { PORT: '4615' }, 'short\n')
    expect(await code).toBe(1)
    expect(printed()).not.toContain('at file:')
  })
})
