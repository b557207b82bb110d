import { join } from 'node:path'
import { createGuard } from '@countersign/guard'
import { createTokenSource } from '@countersign/token-source'
import { systemClock } from '@countersign/tokens'
import { consumer as agentApiConsumer, createAgentApi, createCheckout } from '@countersign-apps/agent-api'
import { freePort, serve } from '@countersign-apps/kit/testing'
import { afterEach, describe, expect, it } from 'vitest'
import { createBilling } from '../src/create-billing.ts'
import { startPaymentProvider } from '../src/index.ts'
import { createPaymentClient } from '../src/payment-client.ts'
import { openQueue } from '../src/queue.ts'
import { type JobEvent, runNext } from '../src/run-jobs.ts'
import { consumer } from '../src/scopes.ts'
import { readSecret } from '../src/webhook-signature.ts'
import { customersToken, providerKey, startTestFleet, webhookSecret } from './fleet.ts'

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

/** The customer's way, whole: token service, agent-api, worker; the jobs run when the test says so. */
async function setUp() {
  const fleet = await startTestFleet()
  ends.push(fleet.close)
  const { issuer } = fleet
  // The worker's alone: to the others no time goes by.
  let moved = 0
  const clock = {
    ...systemClock,
    now: () => Date.now() / 1000 + moved,
    move: (seconds: number) => {
      moved += seconds
    },
  }
  const queue = openQueue(join(fleet.folder, 'billing.db'), clock)
  ends.push(() => queue.close())
  const guard = createGuard({ issuer, consumer })
  ends.push(() => guard.close())
  const key = readSecret(webhookSecret) ?? Buffer.alloc(0)
  const billing = await serve(
    createBilling({ guard, queue, webhookKeys: [key], clock: systemClock, wake: () => undefined }).app,
  )
  ends.push(() => billing.close())
  const apiGuard = createGuard({ issuer, consumer: agentApiConsumer })
  ends.push(() => apiGuard.close())
  const checkout = createCheckout({ issuer, client: fleet.account('agent-api'), billing: billing.origin })
  ends.push(() => checkout.close())
  const api = await serve(createAgentApi({ guard: apiGuard, checkout }).app)
  ends.push(() => api.close())
  const source = createTokenSource({
    issuer,
    client: fleet.account('billing-worker'),
    grant: { type: 'client_credentials', audience: 'billing-worker', scope: 'jobs:run' },
  })
  ends.push(() => source.close())
  const providerPort = await freePort()
  const events: JobEvent[] = []
  const payments = createPaymentClient({ provider: `http://127.0.0.1:${providerPort}`, key: providerKey })
  await Promise.all([guard.whenReady(), apiGuard.whenReady()])
  return {
    ...fleet,
    guard,
    signIn: () => customersToken(fleet),
    clock,
    queue,
    events,
    async startProvider() {
      const options = { port: providerPort, key: providerKey, secret: webhookSecret }
      const provider = await startPaymentProvider({ ...options, webhook: `${billing.origin}/webhooks/payments` })
      ends.push(() => provider.close())
      return provider
    },
    buy: async (token: string, order = 'order-1') =>
      api.call('POST', '/checkout', { token, body: { order, plan: 'team' } }),
    run: () => runNext({ guard, queue, payments, source, clock, onEvent: (event) => events.push(event) }),
  }
}

const claimsOf = (token: string | null | undefined) =>
  JSON.parse(Buffer.from(String(token).split('.')[1] ?? '', 'base64url').toString())

describe('a customer’s order', () => {
  it('is charged in the customer’s name and settled as the service itself, once', async () => {
    const { buy, signIn, run, queue, startProvider, account } = await setUp()
    const provider = await startProvider()
    const token = await signIn()
    const bought = await buy(token)
    expect([bought.status, bought.body.state]).toEqual([202, 'queued'])
    const id = String(bought.body.job)
    expect(claimsOf(queue.get(id)?.token)).toMatchObject({
      aud: 'billing-worker',
      scope: 'jobs:run',
      sub: claimsOf(token).sub,
      act: { sub: account('agent-api').id },
    })
    expect(await run()).toBe(true)
    await expect.poll(() => queue.get(id)?.state).toBe('settling')
    expect(queue.get(id)?.token).toBeNull()
    expect(await run()).toBe(true)
    expect(queue.get(id)?.state).toBe('settled')
    expect(await run()).toBe(false)
    const [charge] = provider.charges()
    expect(queue.ledger()).toEqual([{ job: id, charge: charge?.charge, amount: 4900, currency: 'EUR' }])

    expect(await provider.redeliver(charge?.charge ?? '')).toBe(204)
    expect((await buy(token)).body).toEqual({ job: id, state: 'settled' })
    expect(await run()).toBe(false)
    expect(queue.ledger()).toHaveLength(1)
  })

  it('whose token ends before it runs needs its customer, who comes again', async () => {
    const { buy, signIn, run, queue, clock, events, startProvider } = await setUp()
    const id = String((await buy(await signIn())).body.job)
    // Nobody takes payments yet.
    expect(await run()).toBe(true)
    expect(events.at(-1)).toMatchObject({ type: 'job.put_off', reason: 'provider_unavailable' })
    expect(queue.get(id)?.state).toBe('queued')
    clock.move(601)
    expect(await run()).toBe(true)
    expect(queue.get(id)).toMatchObject({ state: 'needs_customer', reason: 'expired', token: null })
    const provider = await startProvider()
    expect(await run()).toBe(false)
    expect(provider.charges()).toEqual([])

    clock.move(-601)
    const again = await buy(await signIn())
    expect(again.body).toEqual({ job: id, state: 'queued' })
    await expect.poll(async () => (await run()) || queue.get(id)?.state).toBe('settled')
    expect(provider.charges()).toHaveLength(1)
  })

  it('of somebody whose session was ended meanwhile is not charged', async () => {
    const { guard, buy, signIn, run, queue, service, startProvider } = await setUp()
    const provider = await startProvider()
    const token = await signIn()
    const id = String((await buy(token)).body.job)
    await service.issuer.sessions.revoke(claimsOf(token).sid)
    await expect
      .poll(async () => {
        const answer = await buy(token, 'order-2')
        return answer.status
      })
      .toBe(401)
    // The worker hears of it by a feed of its own.
    const held = queue.get(id)?.token ?? undefined
    await expect.poll(async () => (await guard.admit({ token: held, scopes: ['jobs:run'] })).admitted).toBe(false)
    await run()
    expect(queue.get(id)).toMatchObject({ state: 'needs_customer', reason: 'revoked' })
    expect(provider.charges()).toEqual([])
  })
})
