import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { listen } from '@countersign/server'
import { answerErrors, jsonBody, Problem } from '@countersign-apps/kit'
import express from 'express'
import { z } from 'zod'
import { readSecret, signMessage } from './webhook-signature.ts'

export interface ProviderOptions {
  /** 0 picks a free one. @default 4622 */
  readonly port?: number
  /** What callers have to send. */
  readonly key: string
  /** Where webhooks go. */
  readonly webhook: string
  /** `whsec_…`, which they are signed with. */
  readonly secret: string
}

export interface Charge {
  readonly charge: string
  readonly reference: string
  readonly amount: number
  readonly currency: string
}

export interface PaymentProvider {
  readonly url: string
  /** Every charge that was made. */
  charges(): readonly Charge[]
  /** Sends what was sent before once more, as a sender does that missed the answer. @returns the status */
  redeliver(charge: string): Promise<number>
  close(): Promise<void>
}

const charging = z.strictObject({
  reference: z.string().min(1).max(64),
  amount: z.int().min(1),
  currency: z.string().length(3),
})

const mostTries = 8
const timeoutMs = 5_000

/**
 * Plays a payment provider: charges once for each idempotency key, then says so with a signed webhook, several times if it
 * must. No money is anywhere near it; everything is in memory.
 */
export async function startPaymentProvider(options: ProviderOptions): Promise<PaymentProvider> {
  const { port = 4622, key, webhook } = options
  const secret = readSecret(options.secret)
  if (secret === undefined) throw new TypeError('expected a secret such as whsec_ and at least 24 bytes in base64')
  const charges = new Map<string, Charge>()
  const stop = new AbortController()
  const sending = new Set<Promise<void>>()

  async function send(id: string, charge: Charge): Promise<number> {
    const body = JSON.stringify({ type: 'charge.settled', data: charge })
    const timestamp = String(Math.floor(Date.now() / 1000))
    const response = await fetch(webhook, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'webhook-id': id,
        'webhook-timestamp': timestamp,
        'webhook-signature': signMessage(secret ?? Buffer.alloc(0), { id, timestamp, body }),
      },
      body,
      redirect: 'error',
      signal: AbortSignal.any([stop.signal, AbortSignal.timeout(timeoutMs)]),
    })
    await response.body?.cancel()
    return response.status
  }

  async function deliver(charge: Charge): Promise<void> {
    for (let tries = 0; tries < mostTries && !stop.signal.aborted; tries += 1) {
      const status = await send(messageOf(charge.charge), charge).catch(() => 0)
      if (status >= 200 && status < 300) return
      await sleep(100 * 2 ** tries, undefined, { signal: stop.signal }).catch(() => undefined)
    }
  }

  const app = express()
  app.disable('x-powered-by')
  app.post('/charges', (req, _res, next) => {
    if (req.get('authorization') !== `Bearer ${key}`) throw new Problem('forbidden', 'Send the key.')
    next()
  })
  app.post('/charges', ...jsonBody(), (req, res) => {
    const idempotencyKey = req.get('idempotency-key')
    if (idempotencyKey === undefined) throw new Problem('invalid_request', 'Send an Idempotency-Key.')
    const wanted = Problem.parse(charging, req.body)
    const known = charges.get(idempotencyKey)
    const charge = known ?? { charge: `ch_${randomUUID()}`, ...wanted }
    if (known === undefined) {
      charges.set(idempotencyKey, charge)
      const delivery = deliver(charge).finally(() => sending.delete(delivery))
      sending.add(delivery)
    }
    res.status(known === undefined ? 201 : 200).json({ charge: charge.charge })
  })
  app.use(answerErrors(() => undefined))
  const listening = await listen(app, { host: '127.0.0.1', port })
  return {
    url: listening.url,
    charges: () => [...charges.values()],
    async redeliver(id) {
      const charge = [...charges.values()].find((each) => each.charge === id)
      if (charge === undefined) throw new Error('there is no such charge')
      return await send(messageOf(id), charge)
    },
    async close() {
      stop.abort()
      await Promise.all(sending)
      await listening.close()
    },
  }
}

/** The same for each delivery of a message: that is how the receiver knows. */
const messageOf = (charge: string): string => `msg_${charge}`
