import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createDataDir, type RunningTokenService, resolveConfig, startTokenService } from '@countersign/server'
import { startAgentApi } from '@countersign-apps/agent-api'
import { call } from '@countersign-apps/kit/testing'
import { consumers } from '@countersign-apps/token-service/consumers'
import { type ConsoleStartOptions, startConsole } from '../src/index.ts'
import { Visitor } from './fixtures.ts'

export const password = 'correct horse battery'

export interface AuditRecord {
  readonly action: string
  readonly outcome: string
  readonly actor: { readonly type: string; readonly id?: string }
  readonly target: { readonly type: string; readonly id: string }
  readonly reason?: string
  readonly details?: Readonly<Record<string, unknown>>
}

/** A token service, agent-api and the console, in this process, on loopback. */
export interface TestFleet {
  readonly issuer: string
  readonly service: RunningTokenService
  readonly agentApi: string
  readonly console: string
  readonly account: { readonly id: string; readonly secret: string }
  readonly lines: string[]
  /** By the name they sign in with. */
  readonly ids: ReadonlyMap<string, string>
  /** A token of a new session, straight from the token service. */
  signIn(name: string, audience: 'agent-api' | 'support-console'): Promise<string>
  visitor(): Visitor
  audit(): Promise<readonly AuditRecord[]>
  call: typeof call
  close(): Promise<void>
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

export async function startTestFleet(options: Partial<ConsoleStartOptions> = {}): Promise<TestFleet> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-console-'))
  const [port, consolePort] = [await freePort(), await freePort()]
  const issuer = `http://127.0.0.1:${port}`
  const config = await resolveConfig(
    { issuer, port, consumers, metrics: false, log: { level: 'silent' } },
    { baseDir: folder, env: {} },
  )
  await createDataDir(config)
  const service = await startTokenService(config)
  const { users, clients } = service.issuer
  const ids = new Map<string, string>()
  const add = async (identifier: string, scopes: readonly string[] | null): Promise<void> => {
    ids.set(identifier, (await users.add({ identifier, password, scopes })).id)
  }
  await add('ada', null)
  await add('bob', null)
  await add('olga', ['sessions:read', 'sessions:revoke', 'keys:read', 'help:answer'])
  await add('reader', ['sessions:read'])
  const browser = ['sign_in', 'refresh_token'] as const
  await clients.add({ name: 'web', type: 'public', grants: browser, audiences: ['agent-api'] })
  await clients.add({ name: 'support-console-app', type: 'public', grants: browser, audiences: ['support-console'] })
  const grants = ['client_credentials', 'token_exchange'] as const
  const account = async (name: string, audiences: readonly string[]) => {
    const { client, secret } = await clients.add({ name, grants, audiences, scopes: ['conversations:read'] })
    return { id: client.id, secret: secret ?? '' }
  }
  const own = await account('support-console', ['support-console', 'agent-api'])
  const agent = await account('agent-api', ['agent-api', 'support-console'])
  const lines: string[] = []
  const logDestination = { write: (line: string) => lines.push(line) }
  const agentApi = await startAgentApi({
    issuer,
    port: 0,
    logDestination,
    acknowledgeAs: agent,
    support: { console: `http://127.0.0.1:${consolePort}`, client: agent },
  })
  const running = await startConsole({
    config,
    port: consolePort,
    client: own,
    agentApi: agentApi.url,
    logDestination,
    logLevel: 'debug',
    ...options,
  })
  await Promise.all([agentApi.whenReady(), running.whenReady()])
  const apps = { 'agent-api': 'web', 'support-console': 'support-console-app' } as const
  return {
    issuer,
    service,
    agentApi: agentApi.url,
    console: running.url,
    account: own,
    lines,
    ids,
    call,
    visitor: () => new Visitor(running.url),
    async signIn(name, audience) {
      const body = { identifier: name, secret: password, client_id: apps[audience], audience }
      const answer = await call(issuer, 'POST', '/auth/sign-in', { body })
      if (answer.status !== 200) throw new Error(answer.text)
      return answer.body.access_token
    },
    async audit() {
      const text = await readFile(config.auditFile, 'utf8')
      return text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
    },
    async close() {
      await running.close()
      await agentApi.close()
      await service.close()
      await rm(folder, { recursive: true })
    },
  }
}

export function claimsOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
}
