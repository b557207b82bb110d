import { readFile } from 'node:fs/promises'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ask, later, startTestFleet, type TestFleet } from './fleet.ts'

const AsyncFunction = (async () => undefined).constructor as new (
  ...words: string[]
) => (...values: unknown[]) => Promise<void>

let fleet: TestFleet
beforeAll(async () => {
  fleet = await startTestFleet()
})
afterAll(() => fleet.close())

it('does what its README shows', async () => {
  const { token } = await fleet.signIn('mcp-orchestrator')
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8')
  const [, block = ''] = /```ts\n([\s\S]*?)```/.exec(readme) ?? []
  const code = block.replace(/^import .*$/gm, '').replace('http://127.0.0.1:4615/mcp', fleet.orchestrator.endpoint)
  expect(code).toContain(fleet.orchestrator.endpoint)
  const shown: unknown[] = []
  const run = new AsyncFunction('Client', 'StreamableHTTPClientTransport', 'token', 'console', code)
  await run(Client, StreamableHTTPClientTransport, token, { log: (...values: unknown[]) => shown.push(...values) })
  expect(shown).toEqual(['done', 'hello\n'])
})

it('delegates on stdio as well, and ends when its person signs out', async () => {
  const { token, refreshToken } = await fleet.signIn('mcp-orchestrator')
  const client = new Client({ name: 'test', version: '1.0.0' }, { versionNegotiation: { mode: 'auto' } })
  await client.connect(
    new StdioClientTransport({
      command: process.execPath,
      args: [new URL('../dist/main.js', import.meta.url).pathname, '--stdio'],
      env: {
        COUNTERSIGN_ISSUER: fleet.issuer,
        CODER_URL: fleet.coder.endpoint,
        CLIENT_ID: fleet.orchestrator.clientId,
        CLIENT_SECRET: fleet.orchestrator.clientSecret,
        MCP_TOKEN: token,
      },
      stderr: 'ignore',
    }),
  )
  later(() => client.close())
  const ended = new Promise<void>((resolve) => {
    client.onclose = resolve
  })
  const steps = [{ do: 'run', argv: ['sh', '-c', 'echo over stdio'] }]
  expect(await ask(client, 'run_task', { goal: 'greet', steps })).toMatchObject({
    state: 'done',
    steps: [{ answer: { stdout: 'over stdio\n' } }],
  })
  await fetch(`${fleet.issuer}/auth/sign-out`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ refresh_token: refreshToken, client_id: 'agent' }),
  })
  await ended
})
