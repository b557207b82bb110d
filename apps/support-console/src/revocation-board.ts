import { randomUUID } from 'node:crypto'
import type { Issuer, SessionInfo } from '@countersign/issuer'
import type { FeedPosition } from '@countersign/revocation'
import type { Clock } from '@countersign/tokens'

/** What one consumer has said of a revocation. */
export interface ConsumerView {
  readonly consumer: string
  /** `acknowledged`: every process of it that is heard of. `silent`: none is, so its tokens are good until their `exp`. */
  readonly state: 'acknowledged' | 'waiting' | 'silent'
  /** Processes heard of within 90 s. */
  readonly instances: number
  /** From the revocation until the last of them had told it. */
  readonly afterMs: number | null
}

export interface RevocationView {
  readonly id: string
  readonly session: string
  readonly user: string
  readonly operator: string
  readonly reason: string
  /** Unix seconds. */
  readonly at: number
  readonly position: FeedPosition
  readonly consumers: readonly ConsumerView[]
  /** Nobody who is heard of is waited for. */
  readonly isComplete: boolean
}

interface Entry {
  readonly view: Omit<RevocationView, 'consumers' | 'isComplete'>
  readonly sinceMs: number
  /** By consumer and instance: when it was seen to hold the revocation. */
  readonly arrivals: Map<string, number>
}

export interface NewRevocation {
  readonly session: Pick<SessionInfo, 'id' | 'userId'>
  readonly operator: string
  readonly reason: string
  readonly position: FeedPosition
  /** When the revoking began, by the clock's `monotonicMs`. */
  readonly sinceMs: number
}

export interface BoardOptions {
  readonly issuer: Pick<Issuer, 'acknowledgements'>
  /** Of the matrix. */
  readonly audiences: readonly string[]
  readonly clock: Clock
  readonly onFault: (error: unknown) => void
}

/** How often the store is asked while somebody waits, and for how long at most. */
const everyMs = 200
const longestMs = 60_000
const mostKept = 200

/** What was revoked here lately, and who has acknowledged it; in memory, for the audit log has it for good. */
export class RevocationBoard {
  readonly #options: BoardOptions
  readonly #entries = new Map<string, Entry>()
  readonly #watchers = new Set<() => void>()
  #acknowledged: Awaited<ReturnType<Issuer['acknowledgements']>> = []
  #looking: Promise<void> | undefined
  #cancel: (() => void) | undefined
  #isClosed = false

  constructor(options: BoardOptions) {
    this.#options = options
  }

  async add({ session, operator, reason, position, sinceMs }: NewRevocation): Promise<RevocationView> {
    const id = randomUUID()
    const at = Math.floor(this.#options.clock.now())
    const view = { id, session: session.id, user: session.userId, operator, reason, at, position }
    this.#entries.set(id, { view, sinceMs, arrivals: new Map() })
    for (const [oldest] of this.#entries) {
      if (this.#entries.size <= mostKept) break
      this.#entries.delete(oldest)
    }
    await this.look()
    this.#lookAgain()
    return this.get(id) as RevocationView
  }

  get(id: string): RevocationView | undefined {
    const entry = this.#entries.get(id)
    if (entry === undefined) return undefined
    const consumers = this.#options.audiences.map((consumer) => this.#consumerView(entry, consumer))
    return { ...entry.view, consumers, isComplete: consumers.every(({ state }) => state !== 'waiting') }
  }

  /** Asks the store who holds what. Once for everybody who wants it at the same time. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined
    })
    return this.#looking
  }

  /** Calls back after each look at the store, as long as there are any. The result stops it. */
  onLook(call: () => void): () => void {
    const watcher = (): void => call()
    this.#watchers.add(watcher)
    this.#lookAgain()
    return () => this.#watchers.delete(watcher)
  }

  close(): void {
    this.#isClosed = true
    this.#cancel?.()
    this.#watchers.clear()
  }

  async #look(): Promise<void> {
    try {
      this.#acknowledged = await this.#options.issuer.acknowledgements()
    } catch (error) {
      this.#options.onFault(error)
      return
    }
    const nowMs = this.#options.clock.monotonicMs()
    for (const { view, arrivals } of this.#entries.values()) {
      for (const { consumer, instance, position } of this.#acknowledged) {
        const key = keyOf(consumer, instance)
        if (!arrivals.has(key) && holds(position, view.position)) arrivals.set(key, nowMs)
      }
    }
    for (const call of [...this.#watchers]) call()
  }

  #lookAgain(): void {
    if (this.#cancel !== undefined || this.#isClosed) return
    const { clock } = this.#options
    const oldestMs = clock.monotonicMs() - longestMs
    const isAwaited = [...this.#entries.values()].some(
      ({ view, sinceMs }) => sinceMs > oldestMs && this.get(view.id)?.isComplete === false,
    )
    if (!isAwaited && this.#watchers.size === 0) return
    this.#cancel = clock.after(everyMs, () => {
      void this.look().then(() => {
        this.#cancel = undefined
        this.#lookAgain()
      })
    })
  }

  #consumerView({ sinceMs, arrivals }: Entry, consumer: string): ConsumerView {
    const live = this.#acknowledged.filter((one) => one.consumer === consumer)
    const told = live.map(({ instance }) => arrivals.get(keyOf(consumer, instance)))
    const instances = live.length
    if (instances === 0) return { consumer, state: 'silent', instances, afterMs: null }
    if (told.includes(undefined)) return { consumer, state: 'waiting', instances, afterMs: null }
    const lastMs = Math.max(...told.map((atMs) => atMs ?? 0))
    return { consumer, state: 'acknowledged', instances, afterMs: Math.max(0, Math.round(lastMs - sinceMs)) }
  }
}

const keyOf = (consumer: string, instance: string): string => JSON.stringify([consumer, instance])

/** A log that began anew has a higher epoch. */
function holds(held: FeedPosition, wanted: FeedPosition): boolean {
  return held.epoch > wanted.epoch || (held.epoch === wanted.epoch && held.seq >= wanted.seq)
}
