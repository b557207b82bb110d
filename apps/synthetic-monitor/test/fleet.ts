import { startAgentApi } from '@countersign-apps/agent-api'
import type { RunningConsumer } from '@countersign-apps/kit'
import { startTestTokenService, testPassword } from '@countersign-apps/kit/testing'
import { consumers } from '@countersign-apps/token-service/consumers'
import type { ProbeAccounts } from '../src/index.ts'

export const password = testPassword

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

export async function startTestFleet(): Promise<TestFleet> {
  const tokens = await startTestTokenService({
    consumers,
    users: [
      { identifier: 'probe', synthetic: true, scopes: ['agents:read', 'chat:write'] },
      { identifier: 'looker', synthetic: true, scopes: ['agents:read'] },
      { identifier: 'ada' },
    ],
    clients: [
      { name: 'probe-app', type: 'public', grants: ['sign_in'], audiences: ['agent-api'] },
      {
        name: 'synthetic-monitor',
        grants: ['client_credentials', 'token_exchange'],
        audiences: ['synthetic-monitor', 'agent-api'],
        synthetic: true,
      },
    ],
  })
  const { issuer } = tokens
  const own = tokens.account('synthetic-monitor')
  const apis: RunningConsumer[] = []
  const open = async () => {
    const all = await tokens.service.issuer.sessions.list('probe', { limit: 1000 })
    return all.filter(({ endedAt }) => endedAt === null)
  }
  const fleet: TestFleet = {
    issuer,
    agentApi: '',
    accounts: { person: { identifier: 'probe', secret: password }, app: tokens.account('probe-app').id, client: own },
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
      for (const { id } of await open()) await tokens.service.issuer.sessions.revoke(id)
    },
    signIn: (identifier, scope) => tokens.signIn({ identifier, app: 'probe-app', scope }),
    async ownToken(scope) {
      const response = await fetch(`${issuer}/oauth/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${btoa(`${own.id}:${own.secret}`)}` },
        body: new URLSearchParams({ grant_type: 'client_credentials', audience: 'synthetic-monitor', scope }),
      })
      return ((await response.json()) as { access_token: string }).access_token
    },
    stopIssuer: tokens.stop,
    startIssuer: tokens.start,
    async close() {
      for (const api of apis) await api.close()
      await tokens.close()
    },
  }
  return { ...fleet, agentApi: (await fleet.startAgentApi()).url }
}
