import { createHmac, randomBytes } from 'node:crypto'
import type { WebhookEventType } from '@clerk/backend/webhooks'

export interface WebhookInput {
  readonly type: WebhookEventType
  readonly data: object
  /** When it happened, in milliseconds. @default now */
  readonly happenedAtMs?: number
  /** `svix-id`. @default a new one */
  readonly id?: string
  /** When this attempt is made, in Unix seconds. @default now */
  readonly sentAt?: number
  /** `instance_id`. @default 'ins_test' */
  readonly instance?: string
}

export function createWebhookSecret(): string {
  return `whsec_${randomBytes(24).toString('base64')}`
}

/** A delivery, signed as Svix signs: HMAC-SHA256 over `id.timestamp.body`. */
export function webhookRequest(url: string, secret: string, input: WebhookInput, now: number): Request {
  const {
    type,
    data,
    id = `msg_${randomBytes(14).toString('hex')}`,
    sentAt = Math.floor(now),
    instance = 'ins_test',
  } = input
  const body = JSON.stringify({
    object: 'event',
    type,
    data,
    timestamp: input.happenedAtMs ?? Math.floor(now * 1000),
    instance_id: instance,
    event_attributes: { http_request: { client_ip: '127.0.0.1', user_agent: 'test' } },
  })
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64')
  const signature = createHmac('sha256', key).update(`${id}.${sentAt}.${body}`).digest('base64')
  return new Request(url, {
    method: 'POST',
    body,
    headers: {
      'content-type': 'application/json',
      'svix-id': id,
      'svix-timestamp': String(sentAt),
      'svix-signature': `v1,${signature}`,
    },
  })
}
