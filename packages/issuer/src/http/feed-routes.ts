import { type FeedPosition, feedMediaType, readPosition, writeServerSent } from '@countersign/revocation'
import { z } from 'zod'
import { FeedStale, type RevocationFeed } from '../feed/feed.ts'
import { refusal } from '../refusals.ts'
import type { AcknowledgeRequest } from '../types.ts'
import { hasType } from './body.ts'
import { readBasic } from './client-credentials-of.ts'
import { type Exchange, type Handler, send, sendBytes, whence } from './exchange.ts'
import { parseForm } from './form.ts'
import { HttpRefused } from './http-refused.ts'
import { readJson } from './json.ts'
import { isNotModified, sendJwks } from './public-routes.ts'
import type { Streams } from './streams.ts'

/** Whatever the answer says is a second old at most; a cache in front may join the questions of many verifiers. */
const cacheable = 'public, max-age=1'

export interface FeedRoutes {
  readonly revocations: Handler
  readonly stream: Handler
  readonly jwks: Handler
  readonly acknowledge: Handler
}

export function feedRoutes(feed: RevocationFeed, streams: Streams): FeedRoutes {
  return {
    revocations: fresh((exchange) => revocations(feed, exchange)),
    stream: fresh((exchange) => stream(feed, streams, exchange)),
    jwks: async (exchange) => sendJwks(exchange, feed.jwks()),
    acknowledge,
  }
}

const fresh = (handler: Handler): Handler => {
  return async (exchange) => {
    try {
      await handler(exchange)
    } catch (cause) {
      if (!(cause instanceof FeedStale)) throw cause
      throw refusal('feed_stale', { retryAfterSeconds: 1, cause })
    }
  }
}

/**
 * The snapshot, or with `?epoch=EPOCH&after=SEQ` what came after that position (without an epoch the current one is meant).
 * Where that is not kept, or the position is of another life, only the snapshot helps: 410.
 */
async function revocations(feed: RevocationFeed, exchange: Exchange): Promise<void> {
  const position = positionOf(exchange.query)
  const { headers, request } = exchange
  headers.push('Access-Control-Allow-Origin', '*')
  if (position !== undefined) {
    const delta = await feed.after(position.seq, position.epoch)
    if (delta === undefined) throw new HttpRefused(410, refusal('feed_gone'))
    send(exchange, 200, delta.message, feedMediaType, cacheable)
    return
  }
  const { bytes, etag } = await feed.snapshot()
  headers.push('ETag', etag)
  if (isNotModified(request.headers['if-none-match'], etag)) {
    exchange.response.writeHead(304, ['Cache-Control', cacheable, ...headers])
    exchange.response.end()
    return
  }
  sendBytes(exchange, 200, bytes, feedMediaType, cacheable)
}

/** @throws IssuerError `invalid_request` */
function positionOf(
  query: string | undefined,
): { readonly seq: number; readonly epoch: number | undefined } | undefined {
  if (query === undefined || query === '') return undefined
  const { after, epoch, ...others } = Object.fromEntries(parseForm(query))
  if (after === undefined || Object.keys(others).length > 0) throw refusal('feed_query')
  return { seq: number(after), epoch: epoch === undefined ? undefined : number(epoch) }
}

function number(text: string): number {
  if (!/^(?:0|[1-9]\d{0,14})$/.test(text)) throw refusal('feed_query')
  return Number(text)
}

/**
 * Server-sent events: deltas as they come, a head every second. With `Last-Event-ID` the first is what came since; where
 * that is not kept, or without it, the first is a head, whose position tells the reader what it lacks.
 */
async function stream(feed: RevocationFeed, streams: Streams, exchange: Exchange): Promise<void> {
  if (exchange.query !== undefined) throw refusal('feed_query')
  const given = exchange.request.headers['last-event-id']
  const held: FeedPosition | undefined = typeof given === 'string' ? readPosition(given) : undefined
  // A refusal still has a status here; once the stream has begun there is none.
  const since = held === undefined ? undefined : await feed.after(held.seq, held.epoch)
  let sent = since ?? (await feed.head())
  let first = writeServerSent(sent.message, sent.holds)
  // What came while these were signed; from the last look on the stream gets everything by itself.
  while (since !== undefined && sent.holds.seq < (feed.position?.seq ?? 0)) {
    const next = await feed.after(sent.holds.seq, sent.holds.epoch)
    if (next === undefined || next.holds.seq === sent.holds.seq) break
    sent = next
    first += writeServerSent(sent.message, sent.holds)
  }
  if (!streams.open(exchange, first)) throw refusal('too_many_streams', { retryAfterSeconds: 5 })
}

const text = (longest: number) => z.string().min(1).max(longest)
const whole = z.int().min(0).max(Number.MAX_SAFE_INTEGER)
const acknowledgement = z.strictObject({
  consumer: text(128),
  instance: text(128).regex(/^[\x21-\x7e]+$/),
  kids: z.array(z.string().regex(/^[\w-]{1,128}$/)).max(64),
  position: z.strictObject({ epoch: whole, seq: whole }),
})

/** What a consumer holds: JSON, with the client's secret (Basic) or an access token (Bearer) of its own. */
const acknowledge: Handler = async (exchange) => {
  const { request, face } = exchange
  if (!hasType(request, 'application/json')) throw refusal('json_content_type')
  const { authorization } = request.headers
  if (authorization === undefined) throw refusal('client_failed')
  const token = /^bearer +([A-Za-z0-9._-]+)$/i.exec(authorization)?.[1]
  const shown = token === undefined ? { ...whence(exchange), client: readBasic(authorization) } : { token }
  const parsed = acknowledgement.safeParse(await readJson(request))
  if (!parsed.success) throw refusal('body_malformed')
  const given: AcknowledgeRequest = { ...shown, acknowledgement: parsed.data }
  try {
    await face.issuer.acknowledge(given)
  } catch (error) {
    if (isUnauthorized(error)) throw new HttpRefused(403, error)
    throw error
  }
  exchange.response.writeHead(204, ['Cache-Control', 'no-store', ...exchange.headers])
  exchange.response.end()
}

function isUnauthorized(error: unknown): error is HttpRefused['error'] {
  return error instanceof Error && 'code' in error && error.code === 'unauthorized_client'
}
