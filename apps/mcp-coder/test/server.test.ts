import { spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createDataDir, type RunningTokenService, resolveConfig, startTokenService } from '@countersign/server'
import { freePort } from '@countersign-apps/kit/testing'
import { consumers } from '@countersign-apps/token-service/consumers'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport as StdioTransportV1 } from '@modelcontextprotocol/sdk/client/stdio.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CoderOptions, type RunningCoder, startCoder } from '../src/start-coder.ts'
import { later, scratch, soon } from './fixtures.ts'

const main = new URL('../dist/main.js', import.meta.url).pathname
const AsyncFunction = (async () => undefined).constructor as new (
  ...words: string[]
) => (...values: unknown[]) => Promise<void>

interface Issuer {
  readonly url: string
  readonly service: RunningTokenService
  /** Of a new client. */
  token(scope?: string): Promise<{ readonly token: string; readonly clientId: string }>
}

let issuer: Issuer
let endIssuer: () => Promise<void>
beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-coder-'))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const config = await resolveConfig(
    { issuer: url, port, consumers, metrics: false, log: { level: 'silent' } },
    { baseDir: folder, env: {} },
  )
  await createDataDir(config)
  const service = await startTokenService(config)
  let clients = 0
  issuer = {
    url,
    service,
    async token(scope) {
      clients += 1
      const name = `agent-${clients}`
      const { client, secret } = await service.issuer.clients.add({
        name,
        grants: ['client_credentials'],
        audiences: ['mcp-coder'],
      })
      const response = await fetch(`${url}/oauth/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${btoa(`${client.id}:${secret}`)}` },
        body: new URLSearchParams({ grant_type: 'client_credentials', ...(scope === undefined ? {} : { scope }) }),
      })
      const { access_token: token } = (await response.json()) as { access_token: string }
      return { token, clientId: client.id }
    },
  }
  endIssuer = async () => {
    await service.close()
    await rm(folder, { recursive: true, force: true })
  }
})
afterAll(() => endIssuer())

async function start(
  options: Partial<CoderOptions> = {},
): Promise<RunningCoder & { readonly endpoint: string; readonly lines: readonly Record<string, unknown>[] }> {
  const lines: Record<string, unknown>[] = []
  const running = await startCoder({
    issuer: issuer.url,
    port: 0,
    workspaces: join(await scratch(), 'workspaces'),
    logDestination: { write: (line: string) => lines.push(JSON.parse(line)) },
    ...options,
  })
  let isClosed = false
  const close = async (): Promise<void> => {
    if (!isClosed) await running.close()
    isClosed = true
  }
  later(close)
  await running.whenReady()
  return { ...running, close, lines, endpoint: `${running.url}/mcp` }
}

async function connect(endpoint: string, token: string): Promise<Client> {
  const client = new Client({ name: 'test', version: '1.0.0' }, { versionNegotiation: { mode: { pin: '2026-07-28' } } })
  await client.connect(
    new StreamableHTTPClientTransport(new URL(endpoint), { authProvider: { token: async () => token } }),
  )
  later(() => client.close())
  return client
}

describe('the coder over HTTP', () => {
  it('does what its README shows', async () => {
    const { endpoint } = await start()
    const { token } = await issuer.token()
    const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8')
    const [, block = ''] = /```ts\n([\s\S]*?)```/.exec(readme) ?? []
    const code = block.replace(/^import .*$/gm, '').replace('http://127.0.0.1:4616/mcp', endpoint)
    expect(code).toContain(endpoint)
    const shown: unknown[] = []
    const run = new AsyncFunction('Client', 'StreamableHTTPClientTransport', 'token', 'console', code)
    await run(Client, StreamableHTTPClientTransport, token, { log: (value: unknown) => shown.push(value) })
    expect(shown).toEqual([{ reason: 'exited', exit_code: 0, stdout: 'hello\n', stderr: '', ms: expect.any(Number) }])
  })

  it('has no command tool where there is no sandbox, and says so at its start', async () => {
    const { endpoint, lines, noCommands } = await start({ commands: { bwrap: '/usr/bin/no-bwrap' } })
    expect(noCommands).toContain('bubblewrap')
    expect(lines).toContainEqual(expect.objectContaining({ msg: 'there is no command tool', reason: noCommands }))
    const client = await connect(endpoint, (await issuer.token()).token)
    const { tools } = await client.listTools()
    expect(tools.map(({ name }) => name)).toEqual(['list_files', 'read_file', 'remove_file', 'search', 'write_file'])
    await expect(client.callTool({ name: 'run_command', arguments: { argv: ['ls'] } })).rejects.toThrow()
  })

  it('says in one line who called what, and nothing of arguments or answers', async () => {
    const { endpoint, lines } = await start()
    const { token, clientId } = await issuer.token()
    const client = await connect(endpoint, token)
    await client.callTool({ name: 'write_file', arguments: { path: 'private-name', text: 'private text' } })
    expect(lines.filter(({ target }) => target === 'write_file')).toEqual([
      expect.objectContaining({
        msg: 'mcp call',
        method: 'tools/call',
        outcome: 'admitted',
        issuer: issuer.url,
        subject: clientId,
        client: clientId,
        token_id: expect.any(String),
      }),
    ])
    expect(JSON.stringify(lines)).not.toMatch(/private/)
    expect(JSON.stringify(lines)).not.toContain(token)
  })

  it('counts its calls as such', async () => {
    const { endpoint, metricsUrl = '' } = await start({ metricsPort: 0 })
    await connect(endpoint, (await issuer.token()).token)
    await expect(connect(endpoint, 'no.such.token')).rejects.toThrow()
    const metrics = await (await fetch(metricsUrl)).text()
    expect(metrics).toMatch(/surface="mcp",result="ok"/)
    expect(metrics).toMatch(/surface="mcp",result="denied",reason="malformed"/)
  })

  it('names no folder of its machine, whatever goes wrong', async () => {
    const workspaces = join(await scratch(), 'workspaces')
    const { endpoint } = await start({ workspaces })
    const client = await connect(endpoint, (await issuer.token()).token)
    await client.callTool({ name: 'write_file', arguments: { path: 'a', text: 'a' } })
    // Where the workspace was, there is a file now.
    const [name = ''] = await readdir(workspaces)
    await rm(join(workspaces, name), { recursive: true })
    await writeFile(join(workspaces, name), '')
    const { isError, content } = await client.callTool({ name: 'read_file', arguments: { path: 'a' } })
    expect(isError).toBe(true)
    expect(JSON.stringify(content)).not.toContain(workspaces)
  })

  it('tells how long a command has been running', async () => {
    const { endpoint } = await start()
    const client = await connect(endpoint, (await issuer.token()).token)
    const told: unknown[] = []
    const argv = ['sh', '-c', 'until [ -e over ]; do sleep 0.1; done']
    const command = client.callTool(
      { name: 'run_command', arguments: { argv } },
      { onprogress: ({ message }) => told.push(message) },
    )
    // When it is told first depends on what else the machine does.
    await expect.poll(() => told.slice(0, 2), soon).toEqual(['started', expect.stringMatching(/^running for \d+ s$/)])
    await client.callTool({ name: 'write_file', arguments: { path: 'over', text: '' } })
    await command
  })

  it('ends commands and streams when it closes, and waits for neither', async () => {
    const { endpoint, close, running } = await start()
    const client = await connect(endpoint, (await issuer.token()).token)
    const stream = await client.listen({ toolsListChanged: true })
    const command = client
      .callTool({ name: 'run_command', arguments: { argv: ['sh', '-c', 'sleep 60'] } })
      .catch((error: unknown) => error)
    await expect.poll(running, soon).toBe(1)
    await close()
    expect(running()).toBe(0)
    expect(await stream.closed).not.toBe('local')
    await client.close()
    await command
  })

  it.each([
    ['a name that is not its own', { host: 'attacker.example.com' }],
    ['a page elsewhere', { origin: 'https://attacker.example.com' }],
  ])('is not reached by %s', async (_what, headers) => {
    const { url } = await start()
    const { token } = await issuer.token()
    const status = await new Promise((resolve) => {
      const asked = request(`${url}/mcp`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}`, ...headers },
      })
      asked.on('response', (response) => resolve(response.resume().statusCode))
      asked.end('{}')
    })
    expect(status).toBe(403)
  })
})

describe('the coder over stdio', () => {
  const environment = async (token: string): Promise<Record<string, string>> => ({
    COUNTERSIGN_ISSUER: issuer.url,
    CODER_WORKSPACES: join(await scratch(), 'workspaces'),
    MCP_TOKEN: token,
  })

  it('serves one client of protocol 2026-07-28, with its token’s scopes', async () => {
    const { token } = await issuer.token('coder:write')
    const client = new Client({ name: 'test', version: '1.0.0' }, { versionNegotiation: { mode: 'auto' } })
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: [main, '--stdio'],
      env: await environment(token),
      stderr: 'ignore',
    })
    await client.connect(transport)
    later(() => client.close())
    const { tools } = await client.listTools()
    expect(tools.map(({ name }) => name)).toEqual(['list_files', 'read_file', 'remove_file', 'search', 'write_file'])
    await client.callTool({ name: 'write_file', arguments: { path: 'a', text: 'over stdio' } })
    const { structuredContent } = await client.callTool({ name: 'read_file', arguments: { path: 'a' } })
    expect(structuredContent).toMatchObject({ text: 'over stdio' })
    await expect(client.callTool({ name: 'run_command', arguments: { argv: ['ls'] } })).rejects.toThrow()
  })

  it('serves one of 2025-11-25, and ends when its token is revoked, in the midst of a command', async () => {
    const { token, clientId } = await issuer.token()
    const client = new ClientV1({ name: 'older', version: '1.0.0' })
    const transport = new StdioTransportV1({
      command: process.execPath,
      args: [main, '--stdio'],
      env: await environment(token),
      stderr: 'ignore',
    })
    await client.connect(transport as Parameters<typeof client.connect>[0])
    later(() => client.close())
    const ended = new Promise<void>((resolve) => {
      client.onclose = resolve
    })
    const command = client
      .callTool({ name: 'run_command', arguments: { argv: ['sh', '-c', 'echo on; sleep 60'] } })
      .catch((error: unknown) => error)
    const { content } = await client.callTool({ name: 'list_files', arguments: {} })
    expect(content).toMatchObject([{ type: 'text' }])
    await issuer.service.issuer.clients.disable(clientId)
    await ended
    expect(await command).toBeInstanceOf(Error)
  })

  it('does not start with a token that is for another, or with none', async () => {
    const run = async (
      env: Record<string, string>,
    ): Promise<{ readonly code: number | null; readonly said: string }> => {
      const child = spawn(process.execPath, [main, '--stdio'], { env })
      let said = ''
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        said += text
      })
      child.stdin.end()
      return { code: await new Promise((resolve) => child.once('close', resolve)), said }
    }
    const { token } = await issuer.token()
    const env = await environment(`${token.slice(0, -4)}AAAA`)
    const forged = await run(env)
    expect(forged.code).toBe(1)
    expect(forged.said).not.toContain(env.MCP_TOKEN)
    const { MCP_TOKEN: _, ...without } = env
    expect(await run(without)).toMatchObject({ code: 2, said: expect.stringContaining('MCP_TOKEN') })
  })
})
