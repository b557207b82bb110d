import { z } from 'zod'
import type { Job } from './queue.ts'

/** The provider will never take this charge. */
export class PaymentRefused extends Error {
  override readonly name = 'PaymentRefused'
}

export interface PaymentClient {
  /**
   * Charges once for each job, however often it is called.
   * @returns the provider's name for the charge
   * @throws PaymentRefused; anything else is worth another try
   */
  charge(job: Pick<Job, 'id' | 'amount' | 'currency'>): Promise<string>
}

const timeoutMs = 5_000
const answer = z.object({ charge: z.string().min(1).max(128) })

export function createPaymentClient({
  provider,
  key,
}: {
  readonly provider: string
  readonly key: string
}): PaymentClient {
  return {
    async charge({ id, amount, currency }) {
      const response = await fetch(new URL('/charges', provider), {
        method: 'POST',
        redirect: 'error',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'idempotency-key': id },
        body: JSON.stringify({ reference: id, amount, currency }),
        signal: AbortSignal.timeout(timeoutMs),
      })
      if (!response.ok) {
        await response.body?.cancel()
        const message = `the payment provider answered ${response.status}`
        // Of these, time or an operator mends the cause; the job is not at fault.
        const passing = response.status >= 500 || [401, 403, 408, 429].includes(response.status)
        throw passing ? new Error(message) : new PaymentRefused(message)
      }
      return answer.parse(await response.json()).charge
    },
  }
}
