import { defineConsumers } from '@countersign/consumers'
import { type Answer, password, type Service, type ServiceOptions, startService } from './service.ts'

export const exchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange'
export const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token'
export const jwtType = 'urn:ietf:params:oauth:token-type:jwt'

/** Agents call billing, which calls the ledger and back; support acts with a reason; the archive is impersonated. */
export const fleet = defineConsumers({
  'agent-api': {
    scopes: ['agents:read', 'chat:write', 'jobs:run'],
    accessTokenLifeSeconds: 600,
    obtainedBy: ['sign-in', 'client-credentials', 'exchange'],
    refresh: 'body',
  },
  'billing-worker': {
    scopes: ['agents:read', 'jobs:run', 'jobs:read'],
    accessTokenLifeSeconds: 300,
    obtainedBy: ['exchange', 'client-credentials'],
    resource: 'https://billing.example.com',
  },
  ledger: { scopes: ['jobs:run', 'agents:read'], obtainedBy: 'exchange' },
  'support-console': {
    scopes: { 'agents:read': {}, 'sessions:read': { byName: true } },
    obtainedBy: ['sign-in', 'exchange'],
    refresh: 'none',
  },
  archive: { scopes: ['jobs:run'], obtainedBy: 'exchange' },
  vault: { scopes: ['jobs:run'], obtainedBy: 'exchange' },
  edges: [
    { from: 'agent-api', to: 'billing-worker', scopes: ['jobs:run', 'agents:read'] },
    { from: 'billing-worker', to: 'ledger', scopes: ['jobs:run', 'agents:read'] },
    { from: 'ledger', to: 'billing-worker', scopes: ['jobs:run', 'agents:read'] },
    { from: 'agent-api', to: 'support-console', scopes: ['agents:read'] },
    { from: 'support-console', to: 'agent-api', scopes: ['agents:read'], reason: true },
    { from: 'agent-api', to: 'archive', scopes: ['jobs:run'], as: 'impersonation' },
    { from: 'archive', to: 'vault', scopes: ['jobs:run'] },
    { from: 'agent-api', to: 'vault', scopes: ['jobs:run'], by: ['night-shift'] },
  ],
})

export interface Credentials {
  readonly id: string
  readonly name: string
  readonly secret: string
}

export interface Fleet {
  readonly service: Service
  readonly userId: string
  /** The app that ada signs in with. */
  readonly webId: string
  /** The service by that name. */
  of(name: string): Credentials
  /** An access token of ada's for the agent API. */
  signIn(fields?: Record<string, unknown>): Promise<string>
  /** A token that the service obtains for itself. */
  tokenOf(name: string, audience: string): Promise<string>
  exchange(name: string, subjectToken: string, fields?: Record<string, string>): Promise<Answer>
  /** The token of an exchange that must be made. */
  exchanged(name: string, subjectToken: string, fields?: Record<string, string>): Promise<string>
}

export async function startFleet(options: ServiceOptions = {}): Promise<Fleet> {
  const service = await startService({ matrix: fleet, feed: true, ...options })
  const reach: Record<string, string[]> = {
    'agent-api': ['agent-api', 'billing-worker', 'support-console', 'archive'],
    'billing-worker': ['billing-worker', 'ledger'],
    ledger: ['billing-worker'],
    'support-console': ['agent-api'],
    archive: ['vault'],
    'night-shift': ['vault', 'agent-api'],
  }
  const clients = new Map<string, Credentials>()
  for (const [name, audiences] of Object.entries(reach)) {
    const grants = ['token_exchange', 'client_credentials'] as const
    clients.set(name, await service.client({ name, audiences, grants }))
  }
  const web = await service.client({
    name: 'web',
    type: 'public',
    grants: ['sign_in', 'refresh_token'],
    audiences: ['agent-api', 'support-console'],
  })
  const user = await service.issuer.users.add({ identifier: 'ada@example.com', password })
  const of = (name: string): Credentials => {
    const client = clients.get(name)
    if (client === undefined) throw new Error(name)
    return client
  }
  const token = ({ status, text, body }: Answer): string => {
    if (status !== 200) throw new Error(text)
    return body.access_token
  }
  const credentials = (name: string) => ({ client_id: of(name).id, client_secret: of(name).secret })
  const fleetOf: Fleet = {
    service,
    userId: user.id,
    webId: web.id,
    of,
    async signIn(fields = {}) {
      const body = {
        identifier: 'ada@example.com',
        secret: password,
        client_id: 'web',
        audience: 'agent-api',
        ...fields,
      }
      return token(await service.postJson('/auth/sign-in', body))
    },
    async tokenOf(name, audience) {
      const form = { grant_type: 'client_credentials', audience, ...credentials(name) }
      return token(await service.post('/oauth/token', form))
    },
    exchange: (name, subjectToken, fields = {}) =>
      service.post('/oauth/token', {
        grant_type: exchangeGrant,
        subject_token: subjectToken,
        subject_token_type: accessTokenType,
        ...credentials(name),
        ...fields,
      }),
    exchanged: async (name, subjectToken, fields = {}) => token(await fleetOf.exchange(name, subjectToken, fields)),
  }
  return fleetOf
}
