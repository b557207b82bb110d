import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createDataDir,
  type RunningTokenService,
  resolveConfig,
  startTokenService,
  type TokenServiceConfig,
} from '@countersign/server'
import type { RunningConsumer } from '@countersign-apps/kit'
import { freePort } from '@countersign-apps/kit/testing'
import { type RunningCoder, startCoder, type ToolsOptions } from '@countersign-apps/mcp-coder'
import { consumers } from '@countersign-apps/token-service/consumers'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { afterEach } from 'vitest'
import { startOrchestrator } from '../src/start-orchestrator.ts'

const password = 'correct horse battery'

export type LogLine = Readonly<Record<string, unknown>>

export interface SignedIn {
  readonly token: string
  readonly refreshToken: string
}

/** A real token service, coder and orchestrator on loopback. */
export interface TestFleet {
  readonly issuer: string
  readonly service: RunningTokenService
  readonly coder: RunningCoder & { readonly endpoint: string }
  readonly orchestrator: RunningConsumer & {
    readonly endpoint: string
    readonly clientId: string
    readonly clientSecret: string
  }
  /** What a server wrote into its log. */
  lines(of: 'service' | 'coder' | 'orchestrator'): readonly LogLine[]
  signIn(audience: 'mcp-orchestrator' | 'mcp-coder', scope?: string, identifier?: string): Promise<SignedIn>
  /** Of the audit log. */
  audited(action: string): Promise<readonly LogLine[]>
  close(): Promise<void>
}

export async function startTestFleet(
  tools: Partial<ToolsOptions> = {},
  subjectVerifiers: NonNullable<TokenServiceConfig['subjectVerifiers']> = [],
): Promise<TestFleet> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-agents-'))
  const port = await freePort()
  const issuer = `http://127.0.0.1:${port}`
  const config = await resolveConfig(
    { issuer, port, consumers, subjectVerifiers, metrics: false, log: { level: 'info' } },
    { baseDir: folder, env: {} },
  )
  await createDataDir(config)
  const logs = { service: [] as LogLine[], coder: [] as LogLine[], orchestrator: [] as LogLine[] }
  const destinationOf = (name: keyof typeof logs) => ({ write: (line: string) => logs[name].push(JSON.parse(line)) })
  const service = await startTokenService(config, { logDestination: destinationOf('service') })
  const { users, clients } = service.issuer
  await users.add({ identifier: 'ada', password })
  await users.add({ identifier: 'bob', password })
  await clients.add({
    name: 'agent',
    type: 'public',
    grants: ['sign_in', 'refresh_token'],
    audiences: ['mcp-orchestrator', 'mcp-coder'],
  })
  const own = await clients.add({ name: 'mcp-orchestrator', grants: ['token_exchange'], audiences: ['mcp-coder'] })
  const logTo = (name: keyof typeof logs) => ({
    logDestination: destinationOf(name),
    logLevel: 'info' as const,
    issuer,
    port: 0,
  })
  const coder = await startCoder({ ...logTo('coder'), workspaces: join(folder, 'workspaces'), ...tools })
  const orchestrator = await startOrchestrator({
    ...logTo('orchestrator'),
    coder: `${coder.url}/mcp`,
    client: { id: own.client.id, secret: own.secret ?? '' },
  })
  await Promise.all([coder.whenReady(), orchestrator.whenReady()])
  return {
    issuer,
    service,
    coder: { ...coder, endpoint: `${coder.url}/mcp` },
    orchestrator: {
      ...orchestrator,
      endpoint: `${orchestrator.url}/mcp`,
      clientId: own.client.id,
      clientSecret: own.secret ?? '',
    },
    lines: (name) => logs[name],
    async signIn(audience, scope, identifier = 'ada') {
      const response = await fetch(`${issuer}/auth/sign-in`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          identifier,
          secret: password,
          client_id: 'agent',
          audience,
          ...(scope ? { scope } : {}),
        }),
      })
      const body = (await response.json()) as { access_token: string; refresh_token: string }
      if (response.status !== 200) throw new Error(`${response.status} ${JSON.stringify(body)}`)
      return { token: body.access_token, refreshToken: body.refresh_token }
    },
    async audited(action) {
      const text = await readFile(join(folder, 'data', 'audit.jsonl'), 'utf8')
      const records = text
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as LogLine)
      return records.filter((record) => JSON.stringify(record).includes(`"${action}"`))
    },
    async close() {
      await orchestrator.close()
      await coder.close()
      await service.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

const ends: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

/** Ended after the test. */
export function later(end: () => Promise<unknown>): void {
  ends.push(end)
}

/** A real client of protocol 2026-07-28, with one token. */
export async function connect(endpoint: string, token: string | undefined): Promise<Client> {
  const client = new Client({ name: 'test', version: '1.0.0' }, { versionNegotiation: { mode: { pin: '2026-07-28' } } })
  const authorization = token === undefined ? {} : { authProvider: { token: async () => token } }
  await client.connect(new StreamableHTTPClientTransport(new URL(endpoint), authorization))
  later(() => client.close())
  return client
}

/** What a tool answered; its text where it refused. */
export async function ask(
  client: Client,
  name: string,
  args: Record<string, unknown> = {},
  // biome-ignore lint/suspicious/noExplicitAny: answers of many forms, looked into by tests
): Promise<any> {
  const { isError, structuredContent, content } = await client.callTool({ name, arguments: args })
  if (isError !== true) return structuredContent
  const [first] = content
  return first?.type === 'text' ? first.text : undefined
}

/** For what happens in a moment, on a machine that may have much else to do. */
export const soon = { interval: 20 } as const
