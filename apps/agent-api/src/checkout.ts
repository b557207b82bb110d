import { createTokenExchanger, isTokenSourceError } from '@countersign/token-source'
import { Problem } from '@countersign-apps/kit'
import { z } from 'zod'

/** What may be bought, and for how much; no customer names a price. */
export const plans = { starter: 900, team: 4900 } as const

export interface Order {
  /** The customer's own name for it: the same order is billed once. */
  readonly order: string
  readonly plan: keyof typeof plans
}

export interface BillingJob {
  readonly id: string
  readonly state: string
}

/** Has an order billed in the name of whom the token speaks for. */
export interface Checkout {
  /** @throws Problem `unavailable`, `forbidden`, `conflict` */
  bill(customersToken: string, order: Order): Promise<BillingJob>
  close(): void
}

export interface CheckoutOptions {
  readonly issuer: string
  /** This service's own account at the issuer. */
  readonly client: { readonly id: string; readonly secret: string }
  /** Where billing-worker answers. */
  readonly billing: string
}

const timeoutMs = 5_000
const job = z.object({ id: z.string().max(64), state: z.string().max(32) })
const refusals = { 403: 'forbidden', 409: 'conflict' } as const

/**
 * Exchanges the customer's token for one that billing-worker takes (RFC 8693), which says that this service acts for the
 * customer, and hands it over with the order: it is the worker's leave to bill, for as long as it lives.
 */
export function createCheckout({ issuer, client, billing }: CheckoutOptions): Checkout {
  const exchanger = createTokenExchanger({ issuer, client, audience: 'billing-worker', scope: 'jobs:run', timeoutMs })
  return {
    async bill(customersToken, { order, plan }) {
      const token = await exchanger.getToken(customersToken).catch((cause: unknown) => {
        if (isTokenSourceError(cause) && cause.code === 'grant_refused') {
          throw new Problem('forbidden', 'This token cannot be used to buy: sign in again.', { cause })
        }
        throw new Problem('unavailable', 'Nobody can buy at the moment: try again.', { cause })
      })
      const response = await fetch(new URL('/jobs', billing), {
        method: 'POST',
        redirect: 'error',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ order, amount: plans[plan], currency: 'EUR' }),
        signal: AbortSignal.timeout(timeoutMs),
      }).catch((cause: unknown) => {
        throw new Problem('unavailable', 'Billing cannot be reached: try again.', { cause })
      })
      const { status } = response
      const answer = job.safeParse(await response.json().catch(() => undefined))
      if (status === 403 || status === 409) throw new Problem(refusals[status], 'Billing refused the order.')
      if (!response.ok || !answer.success)
        throw new Problem('unavailable', 'Billing could not take the order: try again.')
      return answer.data
    },
    close: () => exchanger.close(),
  }
}

/** Where nothing is configured, nothing can be bought. */
export const noCheckout: Checkout = {
  async bill() {
    throw new Problem('unavailable', 'Nothing can be bought here: no billing is configured.')
  },
  close: () => undefined,
}
