import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@countersign/tokens'
import { describeRoutes, type Served, serve, testIssuer } from '@countersign-apps/kit/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createBilling } from '../src/create-billing.ts'
import { openQueue } from '../src/queue.ts'
import { consumer } from '../src/scopes.ts'
import { readSecret, signMessage } from '../src/webhook-signature.ts'

const folder = await mkdtemp(join(tmpdir(), 'countersign-billing-'))
const file = join(folder, 'billing.db')
const queue = openQueue(file, systemClock)
const issuer = await testIssuer(consumer)
const key = readSecret('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw') ?? Buffer.alloc(0)
const { app, routes } = createBilling({
  guard: issuer.guard,
  queue,
  webhookKeys: [key],
  clock: systemClock,
  wake: () => undefined,
})
let served: Served
beforeAll(async () => {
  served = await serve(app)
})
afterAll(async () => {
  await served.close()
  queue.close()
  await rm(folder, { recursive: true })
})

const post = (body: unknown, token = issuer.token()) => served.call('POST', '/jobs', { token, body })
const order = (name: string) => ({ order: name, amount: 900, currency: 'EUR' })

describe('every route', () => {
  const samples = {
    'GET /whoami': async () => ({}),
    'POST /jobs': async () => ({ body: order('sample') }),
    'GET /jobs': async () => ({}),
    'GET /jobs/:id': async () => ({ path: `/jobs/${(await post(order('sample'))).body.id}` }),
  }
  const open = ['GET /healthz', 'POST /webhooks/payments']
  describeRoutes({ consumer, routes, served: () => served, token: issuer.token, samples, open }, { describe, it })
})

describe('jobs', () => {
  it('are there once for each owner and order', async () => {
    const first = await post(order('one'))
    expect([first.status, first.body.state]).toEqual([201, 'queued'])
    const again = await post(order('one'))
    expect([again.status, again.body.id]).toEqual([200, first.body.id])
    expect((await post({ ...order('one'), amount: 1 })).body.error).toBe('conflict')
    const bobs = await post(order('one'), issuer.token({ sub: 'bob' }))
    expect(bobs.body.id).not.toBe(first.body.id)
  })

  it('say neither their token nor whose they are', async () => {
    const token = issuer.token({ sub: 'somebody' })
    await post(order('quiet'), token)
    const { text } = await served.call('GET', '/jobs', { token: issuer.token() })
    expect(text).toContain('quiet')
    expect(text).not.toContain(token)
    expect(text).not.toContain('somebody')
    expect((await stat(file)).mode & 0o777).toBe(0o600)
  })

  it.each([
    {},
    { ...order('a b') },
    { ...order('x'), amount: 0 },
    { ...order('x'), amount: 0.5 },
    { ...order('x'), currency: 'euro' },
    { ...order('x'), subject: 'bob' },
  ])('that are wrong answer 400: %j', async (body) => {
    expect((await post(body)).body.error).toBe('invalid_request')
  })
})

describe('webhooks', () => {
  const now = () => Math.floor(Date.now() / 1000)
  const send = (body: string, change: { id?: string; timestamp?: string; signature?: string; sent?: string } = {}) => {
    const { id = `msg_${crypto.randomUUID()}`, timestamp = String(now()) } = change
    const signature = change.signature ?? signMessage(key, { id, timestamp, body })
    const headers = {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      'webhook-signature': signature,
    }
    return fetch(`${served.origin}/webhooks/payments`, { method: 'POST', headers, body: change.sent ?? body })
  }
  const newsOf = async (change: object = {}) => {
    const { id } = (await post(order(`hook-${crypto.randomUUID()}`))).body
    const data = { charge: `ch_${id}`, reference: id, amount: 900, currency: 'EUR', ...change }
    return { id: String(id), body: JSON.stringify({ type: 'charge.settled', data }) }
  }

  it('move a job once, however often they come', async () => {
    const { id, body } = await newsOf()
    const message = `msg_${id}`
    expect((await send(body, { id: message })).status).toBe(204)
    expect(queue.get(id)).toMatchObject({ state: 'settling', token: null, charge: `ch_${id}` })
    expect((await send(body, { id: message })).status).toBe(204)
    expect(queue.get(id)?.state).toBe('settling')
    const news = { type: 'charge.settled' as const, job: id, charge: `ch_${id}`, amount: 900, currency: 'EUR' }
    // Remembered by the database, not by the process.
    const other = openQueue(file, systemClock)
    expect(other.takeNews(message, 0, news)).toBe('known')
    other.close()
    const failed = body.replace('charge.settled', 'charge.failed')
    expect((await send(failed)).status).toBe(204)
    expect(queue.get(id)?.state).toBe('settling')
  })

  it('of another amount, or of a decline, end the job', async () => {
    const other = await newsOf({ amount: 1 })
    await send(other.body)
    expect(queue.get(other.id)).toMatchObject({ state: 'failed', reason: 'amount_differs' })
    const declined = await newsOf()
    await send(declined.body.replace('charge.settled', 'charge.failed'))
    expect(queue.get(declined.id)).toMatchObject({ state: 'failed', reason: 'declined' })
  })

  it('are refused when forged, changed, old, early or unsigned', async () => {
    const { id, body } = await newsOf()
    const foreign = Buffer.alloc(24, 7)
    const timestamp = String(now())
    const wrong = [
      { signature: signMessage(foreign, { id: 'm', timestamp, body }), id: 'm', timestamp },
      { sent: body.replace('900', '901') },
      { timestamp: String(now() - 301) },
      { timestamp: String(now() + 302) },
      { timestamp: 'now' },
      { signature: 'v1,' },
      { signature: 'v1' },
      { id: 'with.dot' },
      { id: 'x'.repeat(129) },
    ]
    for (const change of wrong) expect((await send(body, change)).status).toBe(401)
    const bare = await fetch(`${served.origin}/webhooks/payments`, { method: 'POST', body })
    expect(bare.status).toBe(401)
    expect(queue.get(id)?.state).toBe('queued')
  })

  it('of what is not there, or not understood, are told so, and may come again', async () => {
    const { body } = await newsOf({ reference: crypto.randomUUID() })
    expect((await send(body, { id: 'msg_early' })).status).toBe(404)
    expect((await send('{', {})).status).toBe(400)
    expect((await send('{"type":"other"}')).status).toBe(400)
    expect((await send('x'.repeat(17_000))).status).toBe(413)
  })
})
