import { createTokenSource } from '@countersign/token-source'
import { systemClock } from '@countersign/tokens'
import { type ConsumerStartOptions, type RunningConsumer, startConsumer } from '@countersign-apps/kit'
import { createBilling } from './create-billing.ts'
import { createPaymentClient } from './payment-client.ts'
import { openQueue } from './queue.ts'
import { startRunner } from './run-jobs.ts'
import { consumer } from './scopes.ts'
import { readSecret } from './webhook-signature.ts'

export interface BillingOptions extends ConsumerStartOptions {
  /** The queue's SQLite database. */
  readonly database: string
  /** The worker's own account. */
  readonly client: { readonly id: string; readonly secret: string }
  readonly provider: { readonly url: string; readonly key: string }
  /** `whsec_…` of the provider's webhooks; two while one is replaced. */
  readonly webhookSecrets: readonly string[]
}

/** Starts the billing worker; its usual port is 4612. */
export function startBilling(options: BillingOptions): Promise<RunningConsumer> {
  const { issuer, client, provider, database } = options
  return startConsumer(
    { acknowledgeAs: client, ...options },
    {
      consumer,
      usualPort: 4612,
      make({ guard, logger, onFault, onClose }) {
        const webhookKeys = options.webhookSecrets.map((secret) => {
          const key = readSecret(secret)
          if (key === undefined) throw new TypeError('webhook secret: expected whsec_ and at least 24 bytes in base64')
          return key
        })
        const queue = openQueue(database, systemClock)
        onClose(queue)
        const source = createTokenSource({
          issuer,
          client,
          grant: { type: 'client_credentials', audience: consumer.audience, scope: 'jobs:run' },
        })
        onClose(source)
        const payments = createPaymentClient({ provider: provider.url, key: provider.key })
        const runner = startRunner({
          guard,
          queue,
          payments,
          source,
          clock: systemClock,
          onEvent: ({ type, ...rest }) => logger[type === 'job.fault' ? 'error' : 'info'](type, rest),
        })
        onClose(runner)
        return createBilling({ guard, queue, webhookKeys, clock: systemClock, wake: runner.wake, onFault }).app
      },
    },
  )
}
