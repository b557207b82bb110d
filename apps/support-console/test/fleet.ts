import { readFile } from 'node:fs/promises'
import type { RunningTokenService } from '@countersign/server'
import { startAgentApi } from '@countersign-apps/agent-api'
import { call, freePort, startTestTokenService, testPassword } from '@countersign-apps/kit/testing'
import { consumers } from '@countersign-apps/token-service/consumers'
import { type ConsoleStartOptions, startConsole } from '../src/index.ts'
import { Visitor } from './fixtures.ts'

export const password = testPassword

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

export async function startTestFleet(options: Partial<ConsoleStartOptions> = {}): Promise<TestFleet> {
  const browser = { type: 'public', grants: ['sign_in', 'refresh_token'] } as const
  const service = { grants: ['client_credentials', 'token_exchange'], scopes: ['conversations:read'] } as const
  const tokens = await startTestTokenService({
    consumers,
    users: [
      { identifier: 'ada' },
      { identifier: 'bob' },
      { identifier: 'olga', scopes: ['sessions:read', 'sessions:revoke', 'keys:read', 'help:answer'] },
      { identifier: 'reader', scopes: ['sessions:read'] },
    ],
    clients: [
      { ...browser, name: 'web', audiences: ['agent-api'] },
      { ...browser, name: 'support-console-app', audiences: ['support-console'] },
      { ...service, name: 'support-console', audiences: ['support-console', 'agent-api'] },
      { ...service, name: 'agent-api', audiences: ['agent-api', 'support-console'] },
    ],
  })
  const { issuer, config } = tokens
  const [own, agent] = [tokens.account('support-console'), tokens.account('agent-api')]
  const consolePort = await freePort()
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
    service: tokens.service,
    agentApi: agentApi.url,
    console: running.url,
    account: own,
    lines,
    ids: tokens.ids,
    call,
    visitor: () => new Visitor(running.url),
    signIn: (identifier, audience) => tokens.signIn({ identifier, app: apps[audience], audience }),
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
      await tokens.close()
    },
  }
}

export function claimsOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
}
