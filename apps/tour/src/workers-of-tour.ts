import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { RunningTokenService } from '@countersign/server'
import { startAnalytics } from '@countersign-apps/analytics-service'
import { startBilling, startPaymentProvider } from '@countersign-apps/billing-worker'

/** A service's own account. */
export interface OwnAccount {
  readonly id: string
  readonly secret: string
}

export interface WorkerAccounts {
  readonly agentApi: OwnAccount
  readonly analytics: OwnAccount
  readonly billing: OwnAccount
  readonly etl: OwnAccount
}

/** The accounts that services are started with; the walk adds those of people and of what they run. */
export async function addWorkerAccounts({ issuer }: RunningTokenService): Promise<WorkerAccounts> {
  const add = async (
    name: string,
    audiences: readonly string[],
    scopes: readonly string[] | null = null,
  ): Promise<OwnAccount> => {
    const grants = ['client_credentials', ...(name === 'agent-api' ? (['token_exchange'] as const) : [])] as const
    const { client, secret } = await issuer.clients.add({ name, grants, audiences, scopes })
    return { id: client.id, secret: secret ?? '' }
  }
  return {
    agentApi: await add(
      'agent-api',
      ['agent-api', 'billing-worker', 'support-console'],
      ['jobs:run', 'conversations:read'],
    ),
    analytics: await add('analytics-service', ['analytics-service'], ['reports:read']),
    billing: await add('billing-worker', ['billing-worker']),
    etl: await add('analytics-etl', ['agent-api']),
  }
}

export interface WorkersOfTour {
  readonly addresses: { readonly 'analytics-service': string; readonly 'billing-worker': string }
  /** Filled by the ETL. */
  readonly analyticsDatabase: string
  /** How often the payment provider charged. */
  charges(): number
  close(): Promise<void>
}

/** The analytics service, the billing worker, and who plays the payment provider. */
export async function startWorkers(options: {
  readonly issuer: string
  readonly jwks: { readonly demo: { readonly scale: number } }
  readonly dir: string
  readonly ports: { readonly analytics: number; readonly billing: number; readonly provider: number }
  readonly account: OwnAccount
  readonly analyticsAccount: OwnAccount
  readonly logDestination: { write(line: string): unknown }
}): Promise<WorkersOfTour> {
  const { dir, ports, account, issuer, jwks, logDestination } = options
  const common = { issuer, jwks, logDestination, logLevel: 'debug' as const }
  const key = randomBytes(24).toString('base64url')
  const secret = `whsec_${randomBytes(24).toString('base64')}`
  const analyticsDatabase = join(dir, 'analytics.db')
  const parts: { close(): Promise<void> }[] = []
  const close = async (): Promise<void> => {
    for (const part of parts.splice(0).reverse()) await part.close()
  }
  try {
    const provider = await startPaymentProvider({
      port: ports.provider,
      key,
      secret,
      webhook: `http://127.0.0.1:${ports.billing}/webhooks/payments`,
    })
    parts.push(provider)
    const billing = await startBilling({
      ...common,
      port: ports.billing,
      database: join(dir, 'billing.db'),
      client: account,
      provider: { url: provider.url, key },
      webhookSecrets: [secret],
    })
    parts.push(billing)
    const analytics = await startAnalytics({
      ...common,
      port: ports.analytics,
      database: analyticsDatabase,
      acknowledgeAs: options.analyticsAccount,
    })
    parts.push(analytics)
    await Promise.all([billing.whenReady(), analytics.whenReady()])
    return {
      addresses: { 'analytics-service': analytics.url, 'billing-worker': billing.url },
      analyticsDatabase,
      charges: () => provider.charges().length,
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}
