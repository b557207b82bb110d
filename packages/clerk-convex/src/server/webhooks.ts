import { verifyWebhook, type WebhookEvent } from '@clerk/backend/webhooks'
import { type Clock, systemClock } from '@countersign/tokens'
import * as z from 'zod'
import { AuthError } from '../auth-error.ts'
import type { WebhookDelivery, WebhookLedger, WebhookStanding } from './webhook-ledger.ts'
import { objectOf } from './webhook-object.ts'

export interface WebhookOptions {
  /** `whsec_…` of the endpoint; several while one replaces the other, at most 4. */
  readonly signingSecrets: readonly string[]
  readonly ledger: WebhookLedger
  /** `ins_…`: events of another instance are refused, were they signed with a secret of this endpoint. @default any */
  readonly instance?: string
  /** Most bytes of a body, 1,024 to 1,048,576. @default 262_144 */
  readonly maxBytes?: number
  /** Days for which ids are kept, 1 to 30. @default 3; Clerk gives up after about 28 hours */
  readonly keepDays?: number
  readonly clock?: Clock
}

export interface WebhookOutcome {
  readonly standing: WebhookStanding
  readonly event: WebhookEvent
}

export interface ClerkWebhooks {
  /**
   * Verifies a delivery and calls `handle` if it is new and no later event about the same object was handled. What
   * `handle` throws is thrown on, and Clerk's next attempt is handled again: answer it with a 500, and `busy` with a 503.
   *
   * @throws AuthError `bad_webhook`: answer it with a 400
   */
  receive(request: Request, handle: (event: WebhookEvent) => Promise<void> | void): Promise<WebhookOutcome>
  /** The same as an HTTP answer: 204, 400, 500 or 503, with nothing in it. */
  respond(request: Request, handle: (event: WebhookEvent) => Promise<void> | void): Promise<Response>
}

const optionsSchema = z.object({
  // `verifyWebhook` falls back to the environment when it gets an empty secret.
  signingSecrets: z
    .array(z.string().regex(/^whsec_[A-Za-z0-9+/]{32,}={0,2}$/))
    .min(1)
    .max(4),
  instance: z.string().min(1).max(128).optional(),
  maxBytes: z.int().min(1_024).max(1_048_576).default(262_144),
  keepDays: z.number().min(1).max(30).default(3),
})

const eventSchema = z.object({
  type: z.string().min(1).max(128),
  data: z.record(z.string(), z.unknown()),
  timestamp: z.number().positive(),
  instance_id: z.string().optional(),
})

/**
 * Clerk's webhooks, each handled once and in order: `verifyWebhook` of `@clerk/backend` accepts a delivery as often as
 * it is sent within five minutes, and Svix promises no order.
 *
 * @throws AuthError `bad_option`
 */
export function clerkWebhooks(options: WebhookOptions): ClerkWebhooks {
  const parsed = optionsSchema.safeParse(options)
  if (!parsed.success) {
    // Not the value: it may be the secret.
    throw new AuthError('bad_option', `clerkWebhooks: "${parsed.error.issues[0]?.path.join('.')}" has the wrong form.`)
  }
  const { signingSecrets, instance, maxBytes, keepDays } = parsed.data
  const { ledger, clock = systemClock } = options

  /** By object: the end of what is under way, so that an earlier event is never written over a later one. */
  const underWay = new Map<string, Promise<unknown>>()
  const inTurn = async <Result>(object: string, step: () => Promise<Result>): Promise<Result> => {
    const turn = (underWay.get(object) ?? Promise.resolve()).then(step, step)
    underWay.set(object, turn)
    try {
      return await turn
    } finally {
      if (underWay.get(object) === turn) underWay.delete(object)
    }
  }

  const handleOnce = async (
    delivery: WebhookDelivery,
    handle: () => Promise<void> | void,
  ): Promise<WebhookStanding> => {
    const standing = await ledger.begin(delivery)
    if (standing !== 'new') return standing
    try {
      await handle()
    } catch (error) {
      // The handler's fault is the one to tell, whatever the ledger does.
      await ledger.forget(delivery).catch(() => {})
      throw error
    }
    await ledger.finish?.(delivery)
    return standing
  }

  const receive: ClerkWebhooks['receive'] = async (request, handle) => {
    const body = await readBody(request, maxBytes)
    const event = await verifyWithAny(request, body, signingSecrets)
    const read = eventSchema.safeParse(event)
    if (!read.success) throw new AuthError('bad_webhook', 'The event has no type, no data or no time.')
    if (instance !== undefined && read.data.instance_id !== instance) {
      throw new AuthError('bad_webhook', 'The event is of another instance.')
    }
    const id = request.headers.get('svix-id')?.trim() ?? ''
    const delivery: WebhookDelivery = {
      id,
      object: objectOf(read.data.type, read.data.data, id),
      happenedAtMs: read.data.timestamp,
      keepUntil: clock.now() + keepDays * 86_400,
    }
    const standing = await inTurn(delivery.object, () => handleOnce(delivery, () => handle(event)))
    return { standing, event }
  }

  return {
    receive,
    async respond(request, handle) {
      try {
        const { standing } = await receive(request, handle)
        return new Response(null, { status: standing === 'busy' ? 503 : 204 })
      } catch (error) {
        return new Response(null, { status: error instanceof AuthError && error.code === 'bad_webhook' ? 400 : 500 })
      }
    },
  }
}

async function verifyWithAny(request: Request, body: string, secrets: readonly string[]): Promise<WebhookEvent> {
  const { url, headers } = request
  const faults: unknown[] = []
  for (const signingSecret of secrets) {
    try {
      return await verifyWebhook(new Request(url, { method: 'POST', headers, body }), { signingSecret })
    } catch (fault) {
      faults.push(fault)
    }
  }
  throw new AuthError('bad_webhook', 'The delivery is not signed with a secret of this endpoint, or is too old.', {
    cause: faults[0],
  })
}

async function readBody(request: Request, maxBytes: number): Promise<string> {
  if (request.method !== 'POST') throw new AuthError('bad_webhook', 'A delivery is a POST.')
  const parts: Uint8Array[] = []
  let bytes = 0
  if (request.body === null) throw new AuthError('bad_webhook', 'The delivery has no body.')
  for (const reader = request.body.getReader(); ; ) {
    const { done, value } = await reader.read()
    if (done) break
    bytes += value.byteLength
    if (bytes > maxBytes) {
      await reader.cancel()
      throw new AuthError('bad_webhook', `The body has more than ${maxBytes} bytes.`)
    }
    parts.push(value)
  }
  const whole = new Uint8Array(bytes)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.byteLength
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(whole)
  } catch (cause) {
    throw new AuthError('bad_webhook', 'The body is not UTF-8.', { cause })
  }
}
