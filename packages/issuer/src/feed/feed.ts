import type { KeyRing, PublishedJwks } from '@countersign/keys'
import {
  createRevocationView,
  type FeedHead,
  type FeedPosition,
  type FeedRead,
  type RevocationEvent,
  signDelta,
  signHead,
  writeSnapshotBody,
} from '@countersign/revocation'
import type { Context } from '../context.ts'
import { createLocalRevocations, type LocalRevocations } from './local-revocations.ts'
import { createSnapshots, type SnapshotMessage } from './snapshots.ts'

/** Between two heads; as often the store is read, so that each head is fresh. */
const headEveryMs = 1_000
/** An instance that has not read the store for this long signs nothing: it does not know any more. */
export const longestUnreadSeconds = 5
/** Signed answers that are kept for others who ask the same, until the next reading. */
const mostDeltas = 1_000
/** Events in one message; who is further behind asks again. */
const eventsAMessage = 4_000

/** A message and what its reader holds afterwards. */
export interface Sent {
  readonly message: string
  readonly holds: FeedPosition
}

/** The signed revocation feed as this process serves it. */
export interface RevocationFeed {
  /** Resolves once the store has been read for the first time. */
  readonly started: Promise<void>
  /** The newest that this process knows; undefined before the first reading. */
  readonly position: FeedPosition | undefined
  /** True while heads may be signed. */
  readonly isFresh: boolean
  /** Keys of tokens that are revoked, by the feed itself. */
  isKeyRevoked(kid: string): boolean
  /** The same news for a guard in this process. */
  readonly revocations: LocalRevocations
  /** Resolves when everything has been read that was appended before the call. */
  catchUp(): Promise<void>
  /** How many revocations are in force. */
  readonly count: number
  /** The feed's own public keys. */
  jwks(): PublishedJwks
  /** @throws FeedStale */
  snapshot(): Promise<SnapshotMessage>
  /**
   * What came after a position.
   * @param epoch absent: the current one is meant
   * @returns undefined when only the snapshot helps: events are not kept that long, or the position is of another life
   * @throws FeedStale
   */
  after(seq: number, epoch?: number): Promise<Sent | undefined>
  /** @throws FeedStale */
  head(): Promise<Sent>
  /** Calls back with each message as it comes: deltas at once, a head every second. The result stops it; closing `ended`. */
  subscribe(send: (sent: Sent) => void, ended: () => void): () => void
  /** Calls back with events as this process reads them. */
  onEvents(call: (events: readonly RevocationEvent[]) => void): () => void
  close(): Promise<void>
}

interface Subscriber {
  readonly send: (sent: Sent) => void
  readonly ended: () => void
}

/** The store was not read lately: nothing can be said about what is revoked. */
export class FeedStale extends Error {
  override readonly name = 'FeedStale'
}

/** The last successful reading: by both clocks, since either may stand still or step. */
interface Reading {
  readonly readAt: number
  readonly atMs: number
  readonly at: number
}

export function createFeed(context: Context, ring: KeyRing): RevocationFeed {
  const { clock, stores, emit } = context
  const log = stores.revocations
  const view = createRevocationView({ clock })
  const subscribers = new Set<Subscriber>()
  const listeners = new Set<(events: readonly RevocationEvent[]) => void>()
  const first = Promise.withResolvers<void>()
  let position: FeedPosition | undefined
  let reading: Reading | undefined
  let isClosed = false
  /** Deltas of this position and second, which many verifiers ask for. */
  let deltas = new Map<number, Promise<Sent | undefined>>()

  function note({ readAt }: FeedRead): void {
    reading = { readAt, atMs: clock.monotonicMs(), at: clock.now() }
    deltas = new Map()
  }

  const unreadSeconds = (): number => {
    if (reading === undefined) return Number.POSITIVE_INFINITY
    return Math.max((clock.monotonicMs() - reading.atMs) / 1000, clock.now() - reading.at)
  }
  const isFresh = (): boolean => unreadSeconds() < longestUnreadSeconds
  const local = createLocalRevocations(view, unreadSeconds)

  function stated(): { readonly position: FeedPosition; readonly head: FeedHead } {
    if (reading === undefined || position === undefined || !isFresh()) {
      throw new FeedStale('the revocation log was not read lately')
    }
    const { count, digest } = view
    return { position, head: { issuer: context.issuer, position, count, digest, issuedAt: reading.readAt } }
  }

  async function reload(): Promise<void> {
    const found = await log.snapshot()
    const { bytes, count, digest } = await writeSnapshotBody(found.entries)
    await view.load({ position: found.position, count, digest, entries: bytes })
    position = found.position
    note(found)
    advanced()
  }

  function advanced(): void {
    emit({ type: 'feed_advanced', seq: position?.seq ?? 0, entries: view.count, at: context.now() })
  }

  /** Reads on until there is nothing more. */
  async function read(): Promise<void> {
    if (position === undefined) await reload()
    while (!isClosed && position !== undefined) {
      const from: FeedPosition = position
      const found = await log.after(from.seq, eventsAMessage)
      if (found === undefined || found.position.epoch !== from.epoch) {
        await reload()
        await publishHead()
        continue
      }
      const last = found.events.at(-1)
      if (last !== undefined) {
        view.apply(from.epoch, found.events)
        position = { epoch: from.epoch, seq: last.seq }
      }
      note(found)
      if (last === undefined) break
      advanced()
      for (const call of listeners) call(found.events)
      await publish(async ({ head, position: holds }) => {
        return { message: await signDelta(head, from.seq, found.events, ring.signer), holds }
      })
      if (found.position.seq === last.seq) break
    }
    first.resolve()
  }

  let turn: Promise<void> = Promise.resolve()
  let waiting = false
  /** One reading at a time; whoever asks meanwhile shares the next. */
  function wake(): Promise<void> {
    if (waiting || isClosed) return turn
    waiting = true
    turn = turn.then(async () => {
      waiting = false
      try {
        await read()
      } catch (error) {
        emit({ type: 'fault', part: 'feed', error })
      }
    })
    return turn
  }

  let publishing: Promise<void> = Promise.resolve()
  /** What is stated at the call; in the order of the calls, since a reader takes an older head for a replayed one. */
  function publish(sign: (now: ReturnType<typeof stated>) => Promise<Sent>): Promise<void> {
    if (subscribers.size === 0 || !isFresh()) return Promise.resolve()
    const now = stated()
    publishing = publishing.then(async () => {
      try {
        const sent = await sign(now)
        for (const { send } of subscribers) send(sent)
      } catch (error) {
        emit({ type: 'fault', part: 'feed', error })
      }
    })
    return publishing
  }

  const signedHead = async (now: ReturnType<typeof stated>): Promise<Sent> => {
    return { message: await signHead(now.head, ring.signer), holds: now.position }
  }
  const publishHead = (): Promise<void> => publish(signedHead)

  let cancel = clock.after(headEveryMs, tick)
  function tick(): void {
    if (isClosed) return
    // The next one first: a store that hangs must not stop the beat.
    cancel = clock.after(headEveryMs, tick)
    void wake().then(publishHead)
    local.look()
  }
  const stopWatching = log.onChange(() => void wake())
  void wake()

  async function delta(seq: number): Promise<Sent | undefined> {
    const { position: now, head } = stated()
    if (seq > now.seq) return undefined
    const found = seq === now.seq ? { events: [] } : await log.after(seq, eventsAMessage)
    if (found === undefined || ('position' in found && found.position.epoch !== now.epoch)) return undefined
    // The log may have gone on meanwhile; the head speaks for what this process has taken in.
    const events = found.events.filter((event) => event.seq <= now.seq)
    const holds = { epoch: now.epoch, seq: events.at(-1)?.seq ?? seq }
    return { message: await signDelta(head, seq, events, ring.signer), holds }
  }

  const snapshots = createSnapshots(context, ring)
  return {
    started: first.promise,
    get position() {
      return position
    },
    get isFresh() {
      return isFresh()
    },
    get count() {
      return view.count
    },
    isKeyRevoked: (kid) => view.isKeyRevoked(kid),
    revocations: local.revocations,
    catchUp: wake,
    jwks: () => ring.jwks,
    async snapshot() {
      return snapshots.of(stated().position)
    },
    async after(seq, epoch) {
      const { position: now } = stated()
      if (epoch !== undefined && epoch !== now.epoch) return undefined
      const known = deltas.get(seq)
      if (known !== undefined) return known
      const made = delta(seq)
      if (deltas.size < mostDeltas) deltas.set(seq, made)
      return made
    },
    head: async () => signedHead(stated()),
    subscribe(send, ended) {
      const own = { send, ended }
      subscribers.add(own)
      return () => void subscribers.delete(own)
    },
    onEvents(call) {
      const own = (events: readonly RevocationEvent[]): void => call(events)
      listeners.add(own)
      return () => void listeners.delete(own)
    },
    async close() {
      isClosed = true
      cancel()
      stopWatching()
      for (const { ended } of subscribers) ended()
      subscribers.clear()
      await turn
      first.resolve()
    },
  }
}
