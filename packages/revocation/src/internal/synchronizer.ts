import type { Clock } from '@countersign/tokens'
import type { FeedPosition } from '../entry.ts'
import { isRevocationError, type RevocationError } from '../errors.ts'
import type { FeedEvent, FeedPath } from '../feed-events.ts'
import { comparePositions } from '../position-text.ts'
import type { RevocationView } from '../view.ts'
import { Backoff } from './backoff.ts'
import type { FeedClient } from './feed-client.ts'
import type { Accepted, Replica } from './replica.ts'

/** Deltas asked for in a row before the snapshot is taken instead. */
const mostDeltas = 1_000

export interface SynchronizerOptions {
  readonly view: RevocationView
  readonly replica: Replica
  readonly client: FeedClient
  readonly clock: Clock
  readonly random: () => number
  readonly signal: AbortSignal
  readonly report: (event: FeedEvent) => void
  /** A head said at this instant (Unix seconds) that what is held is complete. */
  readonly onComplete: (at: number, via: FeedPath) => void
  readonly onLoaded: () => void
  /** After each message and each reading, good or bad. */
  readonly onTurn: () => void
}

/** Keeps what is held to the feed: takes messages, and asks for what is missing in them. One thing at a time. */
export interface Synchronizer {
  /** A message of the stream. */
  take(message: string): Promise<void>
  /** Asks for what is new, or for the first snapshot; does nothing while anything is under way. */
  poll(): void
  /** Resolves when nothing is under way. */
  idle(): Promise<void>
}

export function createSynchronizer(options: SynchronizerOptions): Synchronizer {
  const { view, replica, client, clock, signal, report, onComplete, onLoaded, onTurn } = options
  const loads = new Backoff(500, 5_000, options.random)
  let mayLoadAtMs = Number.NEGATIVE_INFINITY
  let queue: Promise<void> = Promise.resolve()
  let queued = 0

  function serially(via: FeedPath, work: () => Promise<void>): Promise<void> {
    queued += 1
    queue = queue.then(async () => {
      try {
        if (!signal.aborted) await work()
      } catch (thrown) {
        if (signal.aborted) return
        if (isRevocationError(thrown)) report({ type: 'feed_failed', via, error: thrown })
        else report({ type: 'feed_fault', cause: thrown })
      } finally {
        queued -= 1
        onTurn()
      }
    })
    return queue
  }

  function settle({ applied, fault, position, completeAt }: Accepted, via: FeedPath): void {
    if (fault !== undefined) report({ type: 'feed_fault', cause: fault })
    if (applied > 0) report({ type: 'feed_advanced', position, entries: view.count, applied, via })
    if (completeAt === undefined) return
    if (via !== 'snapshot') loads.reset()
    onComplete(completeAt, via)
  }

  async function load(reason: 'start' | 'gap' | 'drift'): Promise<void> {
    if (clock.monotonicMs() < mayLoadAtMs) return
    mayLoadAtMs = clock.monotonicMs() + loads.nextMs()
    const message = await client.snapshot(signal)
    const accepted = await replica.accept(message, reason === 'drift' ? bringTo : undefined)
    settle(accepted, 'snapshot')
    const { position, drift } = accepted
    if (drift !== undefined) report({ type: 'feed_drifted', position, ...drift })
    report({ type: 'feed_loaded', position, entries: view.count, reason })
    onLoaded()
  }

  /** What merely came later is no drift: as far as it can be had, it is applied before the two are compared. */
  async function bringTo(position: FeedPosition): Promise<void> {
    const held = view.position
    if (held === undefined || held.epoch !== position.epoch || comparePositions(position, held) <= 0) return
    const delta = await client.after(held, signal)
    if (delta !== undefined) await replica.bringTo(position, delta)
  }

  async function catchUp(via: FeedPath): Promise<void> {
    try {
      for (let asked = 0; asked < mostDeltas; asked++) {
        const { position } = view
        const delta = position === undefined ? undefined : await client.after(position, signal)
        if (delta === undefined) break
        const accepted = await replica.accept(delta)
        settle(accepted, via)
        if (!accepted.behind) return
        if (accepted.applied === 0) break
      }
    } catch (thrown) {
      return repair(thrown)
    }
    return load('gap')
  }

  function repair(thrown: unknown): Promise<void> {
    const code: RevocationError['code'] | undefined = isRevocationError(thrown) ? thrown.code : undefined
    if (code === 'gap') return load('gap')
    if (code === 'drifted') return load('drift')
    throw thrown
  }

  return {
    take: (message) =>
      serially('stream', async () => {
        try {
          const accepted = await replica.accept(message)
          settle(accepted, 'stream')
          if (accepted.behind) await catchUp('stream')
        } catch (thrown) {
          // Events that are missing may still be had one by one.
          if (isRevocationError(thrown) && thrown.code === 'gap') await catchUp('stream')
          else await repair(thrown)
        }
      }),
    poll() {
      if (queued > 0 || signal.aborted) return
      // What fails in it is reported, never thrown.
      void serially('poll', () => (view.position === undefined ? load('start') : catchUp('poll')))
    },
    idle: () => queue,
  }
}
