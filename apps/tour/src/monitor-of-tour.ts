import { randomBytes } from 'node:crypto'
import type { RunningTokenService } from '@countersign/server'
import { type RunningMonitor, startMonitor } from '@countersign-apps/synthetic-monitor'
import { patienceMs } from './patience.ts'
import type { OwnAccount } from './workers-of-tour.ts'

export interface MonitorOfTour extends Pick<RunningMonitor, 'url' | 'close'> {
  /** It exchanges as this one, and asks itself for probes. */
  readonly account: OwnAccount
  /** Of the person that it goes as. */
  readonly password: string
}

/** The monitor with accounts of its own, all marked synthetic; it probes when it is told to. */
export async function startMonitorOfTour(options: {
  readonly service: RunningTokenService
  readonly issuer: string
  readonly agentApi: string
  readonly jwks: { readonly demo: { readonly scale: number } }
  readonly port: number
  readonly logDestination: { write(line: string): unknown }
}): Promise<MonitorOfTour> {
  const { service, issuer, agentApi, jwks, port, logDestination } = options
  const { users, clients } = service.issuer
  const password = randomBytes(18).toString('base64url')
  const scopes = ['agents:read', 'chat:write']
  await users.add({ identifier: 'probe', password, synthetic: true, scopes })
  const app = await clients.add({ name: 'probe-app', type: 'public', grants: ['sign_in'], audiences: ['agent-api'] })
  const { client, secret } = await clients.add({
    name: 'synthetic-monitor',
    grants: ['client_credentials', 'token_exchange'],
    audiences: ['synthetic-monitor', 'agent-api'],
    synthetic: true,
  })
  const account = { id: client.id, secret: secret ?? '' }
  const monitor = await startMonitor({
    issuer,
    jwks,
    port,
    agentApis: [agentApi],
    accounts: { person: { identifier: 'probe', secret: password }, app: app.client.id, client: account },
    timeoutMs: patienceMs,
    revocationMs: patienceMs,
    logLevel: 'debug',
    logDestination,
  })
  return { url: monitor.url, account, password, close: monitor.close }
}
