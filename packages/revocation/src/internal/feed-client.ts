import type { Clock } from '@countersign/tokens'
import type { FeedPosition } from '../entry.ts'
import { isRevocationError, RevocationError } from '../errors.ts'
import { feedMediaType } from '../head.ts'
import { writePosition } from '../position-text.ts'
import { readBounded } from './read-bounded.ts'
import { ServerSentReader } from './server-sent-reader.ts'

export interface FeedClientOptions {
  readonly url: URL
  readonly fetch: typeof fetch
  readonly clock: Clock
  readonly maxSnapshotBytes: number
  readonly maxMessageBytes: number
  readonly requestTimeoutMs: number
  readonly snapshotTimeoutMs: number
}

/** The feed's routes, within limits of time and bytes, without redirects. Everything thrown is a {@link RevocationError}. */
export interface FeedClient {
  snapshot(signal: AbortSignal): Promise<Uint8Array>
  /** `undefined` when only the snapshot helps. */
  after(position: FeedPosition, signal: AbortSignal): Promise<Uint8Array | undefined>
  /**
   * Reads the stream until it ends or is aborted.
   * @param onMessage the stream is not read on until it has resolved, so that a slow reader holds the sender back
   */
  stream(
    position: FeedPosition,
    signal: AbortSignal,
    onMessage: (message: string) => Promise<void>,
    onAlive: () => void,
  ): Promise<void>
}

export function createFeedClient(options: FeedClientOptions): FeedClient {
  const { url, clock, maxSnapshotBytes, maxMessageBytes, requestTimeoutMs, snapshotTimeoutMs } = options

  /** The whole exchange, body included, within the time; but for a stream, whose time ends with its headers. */
  async function timed<Result>(
    ms: number,
    signal: AbortSignal,
    work: (signal: AbortSignal, headersCame: () => void) => Promise<Result>,
  ): Promise<Result> {
    const abort = new AbortController()
    const stop = (): void => abort.abort()
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
    const cancel = clock.after(ms, stop)
    try {
      return await work(abort.signal, cancel)
    } catch (cause) {
      if (isRevocationError(cause)) throw cause
      throw new RevocationError('feed_unreachable', 'The feed gave no answer that could be read.', { cause })
    } finally {
      cancel()
      signal.removeEventListener('abort', stop)
    }
  }

  async function request(
    target: URL,
    accept: string,
    signal: AbortSignal,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Response> {
    const response = await options.fetch(target, {
      headers: { accept, ...headers },
      signal,
      // Not 'error', which edge workers do not know: a redirect then is an answer that is not 200.
      redirect: 'manual',
      credentials: 'omit',
      cache: 'no-store',
    })
    if (response.status === 200 || response.status === 410) return response
    await response.body?.cancel()
    const refused = response.status >= 400 && response.status < 500 && ![408, 425, 429].includes(response.status)
    throw new RevocationError(
      refused ? 'feed_refused' : 'feed_unreachable',
      `The feed answered with status ${response.status}.`,
    )
  }

  return {
    snapshot: (outer) =>
      timed(snapshotTimeoutMs, outer, async (signal) => {
        const response = await request(url, feedMediaType, signal)
        if (response.status === 200) return readBounded(response, maxSnapshotBytes, 'maxSnapshotBytes')
        await response.body?.cancel()
        throw new RevocationError('feed_refused', 'The feed has no snapshot.')
      }),
    after: ({ epoch, seq }, outer) =>
      timed(requestTimeoutMs, outer, async (signal) => {
        const target = new URL(url)
        target.searchParams.set('epoch', String(epoch))
        target.searchParams.set('after', String(seq))
        const response = await request(target, feedMediaType, signal)
        if (response.status === 200) return readBounded(response, maxMessageBytes, 'maxMessageBytes')
        await response.body?.cancel()
        return undefined
      }),
    stream: (position, outer, onMessage, onAlive) =>
      timed(requestTimeoutMs, outer, async (signal, headersCame) => {
        const target = new URL(`${url.href}/stream`)
        const response = await request(target, 'text/event-stream', signal, {
          'last-event-id': writePosition(position),
        })
        headersCame()
        if (!response.headers.get('content-type')?.startsWith('text/event-stream') || response.status !== 200) {
          await response.body?.cancel()
          throw new RevocationError('feed_refused', 'The feed has no stream.')
        }
        onAlive()
        const messages = new ServerSentReader(maxMessageBytes)
        const reader = response.body?.getReader()
        try {
          for (;;) {
            const part = await reader?.read()
            if (part === undefined || part.done || signal.aborted) return
            for (const message of messages.push(part.value)) await onMessage(message)
          }
        } finally {
          // Ends the connection where we end, and does nothing where it ended.
          await reader?.cancel().catch(() => {})
        }
      }),
  }
}
