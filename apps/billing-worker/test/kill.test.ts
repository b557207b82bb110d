import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { createTokenSource } from '@countersign/token-source'
import { systemClock } from '@countersign/tokens'
import { call, freePort, startProgram } from '@countersign-apps/kit/testing'
import { afterEach, expect, it } from 'vitest'
import { startPaymentProvider } from '../src/index.ts'
import { openQueue } from '../src/queue.ts'
import { providerKey, startTestFleet, webhookSecret } from './fleet.ts'

const main = new URL('../src/main.ts', import.meta.url)
const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

const jobs = 12

it('a worker that is killed again and again loses no job and charges none twice', async () => {
  const fleet = await startTestFleet()
  ends.push(fleet.close)
  const worker = fleet.account('billing-worker')
  const port = await freePort()
  // Between worker and provider, both ways: kills the worker when the provider has charged, before it hears of that.
  let asked = 0
  let deadly = { from: Number.POSITIVE_INFINITY, kill: () => {} }
  const pass = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part)
    const isCharge = request.url === '/charges'
    if (isCharge) asked += 1
    const { kill, from } = deadly
    const isDeadly = asked >= from
    if (isDeadly && !isCharge) {
      response.writeHead(503).end()
      return
    }
    const { host: _host, connection: _connection, ...headers } = request.headers as Record<string, string>
    const answer = await fetch(`${isCharge ? provider.url : `http://127.0.0.1:${port}`}${request.url}`, {
      method: 'POST',
      headers,
      body: Buffer.concat(parts),
    })
    if (isDeadly) {
      kill()
      response.destroy()
    } else response.writeHead(answer.status).end(await answer.text())
  }
  // One that was killed in the midst of a question is none to answer.
  const between = createServer((request, response) => void pass(request, response).catch(() => response.destroy()))
  await new Promise<void>((resolve) => between.listen(0, '127.0.0.1', resolve))
  ends.push(() => {
    between.closeAllConnections()
    return new Promise((resolve) => between.close(resolve))
  })
  const address = between.address() as { port: number }
  const provider = await startPaymentProvider({
    port: 0,
    key: providerKey,
    secret: webhookSecret,
    webhook: `http://127.0.0.1:${address.port}/webhooks/payments`,
  })
  ends.push(() => provider.close())

  const database = join(fleet.folder, 'billing.db')
  const source = createTokenSource({
    issuer: fleet.issuer,
    client: worker,
    grant: { type: 'client_credentials', audience: 'billing-worker', scope: 'jobs:run' },
  })
  ends.push(() => source.close())
  const token = await source.getToken()
  const queue = openQueue(database, systemClock)
  ends.push(() => queue.close())
  const owner = JSON.stringify([fleet.issuer, worker.id])
  for (let index = 0; index < jobs; index += 1) {
    queue.add({ owner, order: `order-${index}`, amount: 900, currency: 'EUR', token, expires: Date.now() / 1000 + 600 })
  }

  const start = () => {
    const program = startProgram(main, {
      variables: {
        COUNTERSIGN_ISSUER: fleet.issuer,
        PORT: String(port),
        BILLING_DB: database,
        CLIENT_ID: worker.id,
        CLIENT_SECRET: worker.secret,
        PROVIDER_URL: `http://127.0.0.1:${address.port}`,
        PROVIDER_KEY: providerKey,
        WEBHOOK_SECRET: webhookSecret,
      },
    })
    ends.push(() => program.child.kill('SIGKILL'))
    return program
  }
  for (const from of [2, 6]) {
    const { child, exit } = start()
    deadly = { from, kill: () => void child.kill('SIGKILL') }
    expect(await exit).toEqual([null, 'SIGKILL'])
  }
  deadly = { from: Number.POSITIVE_INFINITY, kill: () => {} }
  const last = start()
  await expect.poll(() => queue.ledger().length).toBe(jobs)
  expect(provider.charges()).toHaveLength(jobs)
  expect(asked).toBeGreaterThan(jobs)
  expect(new Set(queue.ledger().map(({ charge }) => charge)).size).toBe(jobs)
  expect(queue.list(100).every(({ state, token: left }) => state === 'settled' && left === null)).toBe(true)
  const listed = await call(`http://127.0.0.1:${port}`, 'GET', '/jobs', { token })
  expect(listed.status).toBe(403)
  last.child.kill('SIGTERM')
  expect(await last.exit).toEqual([0, null])
  expect(last.printed()).not.toContain(token)
  expect(last.printed()).not.toContain(webhookSecret)
})
