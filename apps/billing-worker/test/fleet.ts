import { startTestTokenService, type TestTokenService } from '@countersign-apps/kit/testing'
import { consumers } from '@countersign-apps/token-service/consumers'

export const webhookSecret = `whsec_${Buffer.alloc(24, 9).toString('base64')}`
export const providerKey = 'provider-key'

/** A real token service on loopback, with a customer and the fleet's accounts. */
export function startTestFleet(): Promise<TestTokenService> {
  const audiences = ['billing-worker']
  return startTestTokenService({
    consumers,
    users: [{ identifier: 'ada' }],
    clients: [
      { name: 'web', type: 'public', grants: ['sign_in'], audiences: ['agent-api'] },
      { name: 'agent-api', grants: ['token_exchange'], audiences },
      { name: 'billing-worker', grants: ['client_credentials'], audiences },
    ],
  })
}

/** A new token of the customer's for agent-api. */
export function customersToken(fleet: TestTokenService): Promise<string> {
  return fleet.signIn({ identifier: 'ada', app: 'web', audience: 'agent-api' })
}
