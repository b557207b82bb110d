import type { Guard } from '@countersign/guard'
import type { Principal } from '@countersign/tokens'
import { type ConsumerApp, createConsumerApp, jsonBody, Problem } from '@countersign-apps/kit'
import express from 'express'
import { z } from 'zod'
import type { ChargeNews, Job, JobQueue } from './queue.ts'
import type { Scope } from './scopes.ts'
import { checkMessage, toleranceSeconds } from './webhook-signature.ts'

const newJob = z.strictObject({
  order: z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, 'expected 1 to 64 letters, digits, ".", "_" or "-"'),
  amount: z.int().min(1).max(100_000_000),
  currency: z.string().regex(/^[A-Z]{3}$/, 'expected a currency such as EUR'),
})

const news = z.object({
  type: z.enum(['charge.settled', 'charge.failed']),
  data: z.object({
    charge: z.string().min(1).max(128),
    reference: z.string().max(64),
    amount: z.int(),
    currency: z.string().max(3),
  }),
})

const webhookBytes = 16_384
const mostListed = 100

export interface BillingParts {
  readonly guard: Guard<Scope>
  readonly queue: JobQueue
  /** Of the payment provider's webhooks; two while one is replaced. */
  readonly webhookKeys: readonly Buffer[]
  readonly clock: { now(): number }
  /** There is work. */
  readonly wake: () => void
  readonly onFault?: (error: unknown) => void
}

/** The worker's HTTP side: jobs come in, with the token that is their leave, and the provider's webhooks. */
export function createBilling(parts: BillingParts): ConsumerApp<Scope> {
  const { guard, queue, webhookKeys, clock, wake, onFault } = parts
  const options = { guard, realm: 'billing-worker', ...(onFault === undefined ? {} : { onFault }) }
  return createConsumerApp(options, ({ router, auth }) => {
    router.post('/jobs', 'jobs:run', ...jsonBody(), (req, res) => {
      const given = Problem.parse(newJob, req.body)
      // The guard admitted exactly one token, from this header.
      const token = req.get('authorization')?.slice('Bearer '.length).trim() ?? ''
      const principal = auth.principal(req)
      const added = queue.add({ ...given, owner: ownerOf(principal), token, expires: principal.expiresAt })
      if (added === undefined) throw new Problem('conflict', 'The order is there, for another amount.')
      wake()
      res.status(added.isNew ? 201 : 200).json(onWire(added.job))
    })
    router.get('/jobs', 'jobs:read', (_req, res) => {
      res.json({ jobs: queue.list(mostListed).map(onWire) })
    })
    router.get('/jobs/:id', 'jobs:read', (req, res) => {
      const job = queue.get(String(req.params.id))
      if (job === undefined) throw new Problem('not_found', 'There is no such job.')
      res.json(onWire(job))
    })
    router.post(
      '/webhooks/payments',
      'public',
      express.raw({ type: () => true, limit: webhookBytes, inflate: false }),
      (req, res) => {
        const body = Buffer.isBuffer(req.body) ? req.body.toString('utf8') : ''
        const [id, timestamp] = [req.get('webhook-id'), req.get('webhook-timestamp')]
        const message = { body, ...(id && { id }), ...(timestamp && { timestamp }) }
        const fault = checkMessage(webhookKeys, message, req.get('webhook-signature'), clock.now())
        if (fault !== undefined || id === undefined) {
          res.status(401).json({ error: 'invalid_signature', error_description: 'The message is not accepted.' })
          return
        }
        // Longer than its timestamp is good for, so that it can never come a second time.
        const answer = queue.takeNews(id, clock.now() + 2 * toleranceSeconds, readNews(body))
        if (answer === 'unknown_job') throw new Problem('not_found', 'There is no such job.')
        if (answer === 'taken') wake()
        res.status(204).end()
      },
    )
  })
}

/** @throws Problem `invalid_request` */
function readNews(body: string): ChargeNews {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch (cause) {
    throw new Problem('invalid_request', 'The body is not JSON.', { cause })
  }
  const { type, data } = Problem.parse(news, value)
  return { type, job: data.reference, charge: data.charge, amount: data.amount, currency: data.currency }
}

/** Issuer and subject together are the identity. */
export function ownerOf({ issuer, subject }: Pick<Principal, 'issuer' | 'subject'>): string {
  return JSON.stringify([issuer, subject])
}

/** Neither the token nor whose job it is. */
function onWire({ id, order, amount, currency, state, reason }: Job): object {
  return { id, order, amount, currency, state, ...(reason === null ? {} : { reason }) }
}
