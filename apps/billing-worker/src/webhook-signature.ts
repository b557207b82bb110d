import { createHmac, timingSafeEqual } from 'node:crypto'

/** Seconds that a message's timestamp may be off, both ways. */
export const toleranceSeconds = 300

export interface SignedMessage {
  readonly id: string
  /** Unix seconds, as sent. */
  readonly timestamp: string
  readonly body: string
}

const secretForm = /^whsec_([A-Za-z0-9+/]{32,}={0,2})$/
const idForm = /^[\x21-\x2d\x2f-\x7e]{1,128}$/

/** The key in `whsec_<base64>`, at least 24 bytes; undefined if it is none. */
export function readSecret(secret: string): Buffer | undefined {
  const [, encoded] = secretForm.exec(secret) ?? []
  return encoded === undefined ? undefined : Buffer.from(encoded, 'base64')
}

/** As in Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`. */
export function signMessage(key: Buffer, { id, timestamp, body }: SignedMessage): string {
  return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`
}

export type SignatureFault = 'malformed' | 'wrong_signature' | 'too_old_or_new'

/**
 * What is wrong with a message, or undefined. The signature is looked at before the time: a stranger learns nothing of our
 * clock.
 *
 * @param keys all that are good at the moment: two while one is replaced
 */
export function checkMessage(
  keys: readonly Buffer[],
  message: Partial<SignedMessage> & { readonly body: string },
  signatures: string | undefined,
  now: number,
): SignatureFault | undefined {
  const { id, timestamp, body } = message
  if (id === undefined || timestamp === undefined || signatures === undefined) return 'malformed'
  // Without a dot in it, an id cannot take over a part of the timestamp.
  if (!idForm.test(id) || !/^\d{1,12}$/.test(timestamp) || signatures.length > 1024) return 'malformed'
  const sent = signatures.split(' ')
  const good = keys.some((key) => {
    const due = Buffer.from(signMessage(key, { id, timestamp, body }))
    return sent.some((each) => {
      const given = Buffer.from(each)
      return given.length === due.length && timingSafeEqual(given, due)
    })
  })
  if (!good) return 'wrong_signature'
  return Math.abs(now - Number(timestamp)) > toleranceSeconds ? 'too_old_or_new' : undefined
}
