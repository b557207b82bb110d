import type { ResolvedConfig, RunningTokenService } from '@countersign/server'
import { startConsole } from '@countersign-apps/support-console'
import { newPassword } from './cmux-of-tour.ts'

export interface SupportOfTour {
  readonly url: string
  readonly operator: { readonly identifier: string; readonly secret: string }
  close(): Promise<void>
}

/** The app that operators sign in through. */
export const operatorsApp = 'support-console-app'

/** The support console, with its accounts and one operator's. */
export async function startSupport(options: {
  readonly service: RunningTokenService
  readonly config: ResolvedConfig
  readonly jwks: { readonly demo: { readonly scale: number } }
  readonly port: number
  readonly agentApi: string
  readonly logDestination: { write(line: string): unknown }
}): Promise<SupportOfTour> {
  const { service, ...common } = options
  const { clients, users } = service.issuer
  const operator = { identifier: 'olga', secret: newPassword() }
  const scopes = ['sessions:read', 'sessions:revoke', 'keys:read', 'help:answer']
  await users.add({ identifier: operator.identifier, password: operator.secret, scopes })
  const audience = 'support-console'
  await clients.add({
    name: operatorsApp,
    type: 'public',
    grants: ['sign_in', 'refresh_token'],
    audiences: [audience],
  })
  const { client, secret } = await clients.add({
    name: audience,
    grants: ['client_credentials', 'token_exchange'],
    audiences: [audience, 'agent-api'],
    scopes: ['conversations:read'],
  })
  const { url, close } = await startConsole({
    ...common,
    client: { id: client.id, secret: secret ?? '' },
    app: operatorsApp,
    logLevel: 'debug',
  })
  return { url, operator, close }
}
