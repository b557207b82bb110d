import type { FeedPosition } from '../entry.ts'
import { isRevocationError, RevocationError } from '../errors.ts'
import type { FeedHead } from '../head.ts'
import { comparePositions } from '../position-text.ts'
import { type FeedMessage, type ReadMessageOptions, readMessage } from '../read-message.ts'
import type { Drift, RevocationView } from '../view.ts'
import type { FeedAge } from './feed-age.ts'

/** A head from further ahead of every clock that we know tells of a clock that is wrong. */
const mostAheadSeconds = 60

export interface Accepted {
  readonly kind: FeedMessage['kind']
  readonly position: FeedPosition
  readonly applied: number
  /** The head knows of more than is held: the rest has to be asked for. */
  readonly behind: boolean
  /** The instant at which what is held was complete, where the head says so. */
  readonly completeAt: number | undefined
  readonly drift: Drift | undefined
  /** What a listener of the view threw, if one did. */
  readonly fault: unknown
}

export interface Replica {
  /**
   * Verifies a message, and takes what is new in it; one after the other.
   *
   * @param beforeComparing called with a snapshot's position; then the difference to what is held is counted
   * @throws RevocationError as {@link readMessage} does, and `replayed` for a head lower than one seen before,
   * `clock_skew`, `gap`, `drifted`, `too_large`
   */
  accept(message: Uint8Array | string, beforeComparing?: (position: FeedPosition) => Promise<void>): Promise<Accepted>
  /** Takes the events of a delta, as far as that position, without believing what its head says of the whole. */
  bringTo(position: FeedPosition, message: Uint8Array): Promise<void>
}

/** What is held of a feed, kept to what its heads say. */
export function createReplica(view: RevocationView, age: FeedAge, options: ReadMessageOptions): Replica {
  /** Of the newest head. */
  let highest: FeedPosition | undefined

  async function open(message: Uint8Array | string): Promise<FeedMessage> {
    const opened = await readMessage(message, options)
    const { head, kind } = opened
    if (head.issuedAt > age.now() + mostAheadSeconds) {
      throw new RevocationError('clock_skew', 'The head was issued in the future, by more than a minute.')
    }
    // A snapshot may be kept for a while by caches; the view refuses one that is older than what it holds.
    if (kind !== 'snapshot' && highest !== undefined && comparePositions(head.position, highest) < 0) {
      throw new RevocationError('replayed', 'The head is lower than one that came before.')
    }
    age.see(head.issuedAt)
    if (highest === undefined || comparePositions(head.position, highest) > 0) highest = head.position
    return opened
  }

  /** A head at the very position that is held says what must be held. */
  function compareWith(head: FeedHead): Pick<Accepted, 'behind' | 'completeAt'> {
    const { position } = view
    const order = position === undefined ? -1 : comparePositions(position, head.position)
    if (order !== 0) return { behind: order < 0, completeAt: undefined }
    if (head.count !== view.count || head.digest !== view.digest) {
      throw new RevocationError('drifted', 'What is held is not what the head counts.')
    }
    age.hold(head.issuedAt)
    return { behind: highest !== undefined && comparePositions(head.position, highest) < 0, completeAt: head.issuedAt }
  }

  return {
    async accept(message, beforeComparing) {
      const opened = await open(message)
      const { head, kind } = opened
      let applied = 0
      let drift: Drift | undefined
      let fault: unknown
      try {
        if (opened.kind === 'delta') applied = view.apply(head.position.epoch, opened.events)
        else if (opened.kind === 'snapshot') {
          await beforeComparing?.(head.position)
          drift = await view.load({ ...head, entries: opened.entries }, beforeComparing !== undefined)
        } else if (view.position === undefined || view.position.epoch !== head.position.epoch) {
          throw new RevocationError('gap', 'The head is of another life of the feed.')
        }
      } catch (thrown) {
        if (isRevocationError(thrown)) throw thrown
        // The view is done before it tells its listeners.
        fault = thrown
      }
      return { kind, position: head.position, applied, drift, fault, ...compareWith(head) }
    },
    async bringTo(position, message) {
      const opened = await readMessage(message, options)
      if (opened.kind !== 'delta' || opened.head.position.epoch !== position.epoch) return
      view.apply(
        position.epoch,
        opened.events.filter(({ seq }) => seq <= position.seq),
      )
    },
  }
}
