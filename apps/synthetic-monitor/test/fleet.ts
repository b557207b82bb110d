import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createDataDir, resolveConfig, startTokenService } from '@countersign/server'
import { startAgentApi } from '@countersign-apps/agent-api'
import type { RunningConsumer } from '@countersign-apps/kit'
import { consumers } from '@countersign-apps/token-service/consumers'
import type { ProbeAccounts } from '../src/index.ts'

export const password = 'correct horse battery'

/** A real token service and a real agent-api on loopback, with the accounts of a monitor, and of people. */
export interface TestFleet {
  readonly issuer: string
  readonly agentApi: string
  readonly accounts: ProbeAccounts
  /** Everything that must be nowhere but here. */
  readonly secrets: readonly string[]
  /** Another agent-api of the same fleet: `deaf` does not follow revocations, `lax` knows of no side effects. */
  startAgentApi(fault?: 'deaf' | 'lax'): Promise<RunningConsumer>
  /** How many sessions of the probe's person live on. */
  sessions(): Promise<number>
  endSessions(): Promise<void>
  /** A token of one of its people for agent-api. */
  signIn(identifier: string, scope: string): Promise<string>
  /** A token of the monitor's account for its own audience. */
  ownToken(scope: string): Promise<string>
  stopIssuer(): Promise<void>
  startIssuer(): Promise<void>
  close(): Promise<void>
}

const strict = consumers['agent-api']
const scopes = Object.fromEntries(Object.keys(strict.scopes).map((scope) => [scope, {}])) as typeof strict.scopes
const lax = { ...strict, scopes }

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

export async function startTestFleet(): Promise<TestFleet> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-monitor-'))
  const port = await freePort()
  const issuer = `http://127.0.0.1:${port}`
  const config = await resolveConfig(
    { issuer, port, consumers, metrics: false, log: { level: 'silent' } },
    { baseDir: folder, env: {} },
  )
  await createDataDir(config)
  const start = () => startTokenService(config)
  let service: Awaited<ReturnType<typeof start>> | undefined = await start()
  const { users, clients } = service.issuer
  await users.add({ identifier: 'probe', password, synthetic: true, scopes: ['agents:read', 'chat:write'] })
  await users.add({ identifier: 'looker', password, synthetic: true, scopes: ['agents:read'] })
  await users.add({ identifier: 'ada', password })
  const audiences = ['agent-api']
  const app = await clients.add({ name: 'probe-app', type: 'public', grants: ['sign_in'], audiences })
  const { client, secret } = await clients.add({
    name: 'synthetic-monitor',
    grants: ['client_credentials', 'token_exchange'],
    audiences: ['synthetic-monitor', 'agent-api'],
    synthetic: true,
  })
  const own = { id: client.id, secret: secret ?? '' }
  const apis: RunningConsumer[] = []
  const open = async () => {
    const all = (await service?.issuer.sessions.list('probe', { limit: 1000 })) ?? []
    return all.filter(({ endedAt }) => endedAt === null)
  }
  const fleet: TestFleet = {
    issuer,
    agentApi: '',
    accounts: { person: { identifier: 'probe', secret: password }, app: app.client.id, client: own },
    secrets: [password, own.secret],
    async startAgentApi(fault) {
      const api = await startAgentApi({
        issuer,
        port: 0,
        logLevel: 'silent',
        ...(fault === 'deaf' ? { revocations: 'off' } : {}),
        ...(fault === 'lax' ? { consumer: lax } : {}),
      })
      apis.push(api)
      await api.whenReady()
      return api
    },
    sessions: async () => (await open()).length,
    async endSessions() {
      for (const { id } of await open()) await service?.issuer.sessions.revoke(id)
    },
    async signIn(identifier, scope) {
      const response = await fetch(`${issuer}/auth/sign-in`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ identifier, secret: password, client_id: app.client.id, scope }),
      })
      return ((await response.json()) as { access_token: string }).access_token
    },
    async ownToken(scope) {
      const response = await fetch(`${issuer}/oauth/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${btoa(`${own.id}:${own.secret}`)}` },
        body: new URLSearchParams({ grant_type: 'client_credentials', audience: 'synthetic-monitor', scope }),
      })
      return ((await response.json()) as { access_token: string }).access_token
    },
    async stopIssuer() {
      await service?.close()
      service = undefined
    },
    async startIssuer() {
      service = await start()
    },
    async close() {
      for (const api of apis) await api.close()
      await service?.close()
      await rm(folder, { recursive: true })
    },
  }
  return { ...fleet, agentApi: (await fleet.startAgentApi()).url }
}
