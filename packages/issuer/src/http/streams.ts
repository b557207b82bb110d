import type { ServerResponse } from 'node:http'
import { writeServerSent } from '@countersign/revocation'
import type { RevocationFeed, Sent } from '../feed/feed.ts'
import type { Exchange } from './exchange.ts'

export interface StreamLimits {
  /** Streams open at once, 1 to 100,000. */
  readonly maxStreams: number
  /** Bytes that may wait for a slow reader; past it the stream is cut, and the reader goes on from where it was. */
  readonly maxWaitingBytes: number
}

export interface Streams {
  /** Begins a stream with these events. @returns false if there are too many */
  open(exchange: Exchange, first: string): boolean
}

/** The open `GET /revocations/stream`s of this process. A message is written once for all of them. */
export function createStreams(feed: RevocationFeed, limits: StreamLimits): Streams {
  const open = new Set<ServerResponse>()
  let stop: (() => void) | undefined

  function broadcast(sent: Sent): void {
    const bytes = Buffer.from(writeServerSent(sent.message, sent.holds))
    for (const response of open) write(response, bytes)
  }

  function write(response: ServerResponse, bytes: Buffer | string): void {
    response.write(bytes)
    if (response.writableLength > limits.maxWaitingBytes) response.destroy()
  }

  return {
    open({ request, response, headers }, first) {
      if (open.size >= limits.maxStreams) return false
      response.writeHead(200, [
        ...['Content-Type', 'text/event-stream', 'Cache-Control', 'no-store', 'X-Accel-Buffering', 'no'],
        ...['X-Content-Type-Options', 'nosniff', 'Access-Control-Allow-Origin', '*', ...headers],
      ])
      write(response, first)
      open.add(response)
      stop ??= feed.subscribe(broadcast, () => {
        for (const one of open) one.end()
      })
      const forget = (): void => {
        if (!open.delete(response) || open.size > 0) return
        stop?.()
        stop = undefined
      }
      response.on('close', forget)
      request.on('error', forget)
      return true
    },
  }
}
