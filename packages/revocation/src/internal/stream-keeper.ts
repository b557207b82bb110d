import type { Clock } from '@countersign/tokens'
import type { FeedPosition } from '../entry.ts'
import { isRevocationError, type RevocationError } from '../errors.ts'
import type { FeedEvent } from '../feed-events.ts'
import { Backoff } from './backoff.ts'
import type { FeedClient } from './feed-client.ts'

/** Without a newer head on the stream for so long it counts as silent; heads come each second. */
const silentMs = 2_000
/** And after so long it is given up. */
const deadMs = 10_000

export interface StreamKeeperOptions {
  readonly client: FeedClient
  readonly clock: Clock
  readonly random: () => number
  readonly signal: AbortSignal
  readonly report: (event: FeedEvent) => void
  readonly position: () => FeedPosition | undefined
  readonly onMessage: (message: string) => Promise<void>
  /** The stream ended; until there is another, the feed has to be polled. */
  readonly onDown: () => void
}

/** Holds the one connection to the stream, and makes another when it ends or goes silent. */
export interface StreamKeeper {
  /** No newer head has come on the stream lately. */
  readonly isSilent: boolean
  /** A head issued at that instant came on the stream. A repeated one is no sign of life. */
  heard(issuedAt: number): void
  /** To be called each second, and as soon as there is a position. */
  look(): void
  idle(): Promise<void>
}

export function createStreamKeeper(options: StreamKeeperOptions): StreamKeeper {
  const { client, clock, signal, report, position, onMessage, onDown } = options
  const waits = new Backoff(1_000, 30_000, options.random)
  let newest = Number.NEGATIVE_INFINITY
  let heardMs = Number.NEGATIVE_INFINITY
  let current: { readonly abort: AbortController; readonly done: Promise<void>; readonly sinceMs: number } | undefined
  let mayConnectAtMs = Number.NEGATIVE_INFINITY

  function connect(from: FeedPosition): void {
    const abort = new AbortController()
    const stop = (): void => abort.abort()
    signal.addEventListener('abort', stop, { once: true })
    let connected = false
    const ended = (error?: RevocationError): void => {
      signal.removeEventListener('abort', stop)
      current = undefined
      heardMs = Number.NEGATIVE_INFINITY
      mayConnectAtMs = clock.monotonicMs() + waits.nextMs()
      if (signal.aborted) return
      if (connected) report({ type: 'feed_disconnected', ...(error === undefined ? {} : { error }) })
      else if (error !== undefined) report({ type: 'feed_failed', via: 'stream', error })
      onDown()
    }
    const opened = (): void => {
      connected = true
      report({ type: 'feed_connected' })
    }
    const done = client.stream(from, abort.signal, onMessage, opened).then(
      () => ended(),
      (error: unknown) => ended(isRevocationError(error) ? error : undefined),
    )
    current = { abort, done, sinceMs: clock.monotonicMs() }
  }

  return {
    get isSilent() {
      return clock.monotonicMs() - heardMs > silentMs
    },
    heard(issuedAt) {
      if (issuedAt <= newest) return
      newest = issuedAt
      heardMs = clock.monotonicMs()
      waits.reset()
    },
    look() {
      const nowMs = clock.monotonicMs()
      if (current !== undefined) {
        if (nowMs - Math.max(heardMs, current.sinceMs) > deadMs) current.abort.abort()
        return
      }
      const from = position()
      if (from !== undefined && nowMs >= mayConnectAtMs && !signal.aborted) connect(from)
    },
    async idle() {
      await current?.done
    },
  }
}
