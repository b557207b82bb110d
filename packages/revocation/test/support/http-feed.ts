import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { systemClock } from '@countersign/tokens'
import { type SimulatedFeed, simulateFeed } from '../../src/testing.ts'

export interface HttpFeed {
  readonly feed: SimulatedFeed
  readonly origin: string
  /** Resolves when nobody is connected any more; cuts nobody off. */
  drain(): Promise<void>
  close(): Promise<void>
}

async function answer(feed: SimulatedFeed, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.url === '/revocations/jwks.json') {
    response.writeHead(200, { 'content-type': 'application/jwk-set+json' })
    response.end(JSON.stringify({ keys: [feed.keys.get('feed-1')] }))
    return
  }
  const body: Buffer[] = []
  for await (const part of request) body.push(part)
  const abort = new AbortController()
  response.on('close', () => abort.abort())
  const id = request.headers['last-event-id']
  const result = await feed.fetch(new URL(request.url ?? '', feed.issuer), {
    method: request.method ?? 'GET',
    signal: abort.signal,
    headers: id === undefined ? {} : { 'last-event-id': String(id) },
    ...(request.method === 'POST' ? { body: Buffer.concat(body).toString() } : {}),
  })
  response.writeHead(result.status, Object.fromEntries(result.headers))
  response.flushHeaders()
  for await (const part of result.body ?? []) response.write(part)
  response.end()
}

/** A simulated feed behind a server on loopback, beating by the machine's clock when told to. */
export async function serveFeed(): Promise<HttpFeed> {
  const server = createServer((request, response) => {
    answer(feed, request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const origin = `http://127.0.0.1:${address.port}`
  const feed = await simulateFeed(systemClock, origin)
  return {
    feed,
    origin,
    drain: () => new Promise((resolve) => server.close(() => resolve())),
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
