import { randomUUID } from 'node:crypto'

/** Why a command is over: by itself, by somebody, or by a limit. */
export type CommandEnd = 'exited' | 'stopped' | 'time_limit' | 'output_limit' | 'closing' | 'not_started'

/** What happens. `command` is the command's id. */
export type Happening =
  | { readonly type: 'command.started'; readonly command: string; readonly argv: readonly string[] }
  | {
      readonly type: 'command.output'
      readonly command: string
      readonly stream: 'stdout' | 'stderr'
      readonly text: string
    }
  | {
      readonly type: 'command.ended'
      readonly command: string
      readonly reason: CommandEnd
      readonly code: number | null
      readonly signal: string | null
    }
  | { readonly type: 'note'; readonly text: string }

/** One entry of the feed: `id` counts from 1, `at` is in Unix seconds. */
export type FeedEvent = Happening & { readonly id: number; readonly at: number }

export interface FeedPage {
  /** Another after each start: then `id` counts anew. */
  readonly epoch: string
  readonly events: readonly FeedEvent[]
}

/** Events from the oldest on, as many as one frame may hold. */
export interface FeedPart extends FeedPage {
  /** Newer ones are there: read on from the last of these. */
  readonly more: boolean
}

export interface Feed {
  append(happening: Happening): FeedEvent
  /** The newest events past an id, oldest first. An id of another epoch counts as none. */
  page(wanted?: { readonly after?: number; readonly epoch?: string; readonly limit?: number }): FeedPage
  /** The oldest events past an id, in parts that add up to all of them. An id of another epoch counts as none. */
  part(wanted?: { readonly after?: number; readonly epoch?: string }): FeedPart
  /** Calls back with each event as it happens. The result stops that. */
  subscribe(call: (event: FeedEvent) => void): () => void
}

export interface FeedLimits {
  /** @default 1_000 */
  readonly events: number
  /** Of all events as JSON. @default 2_097_152 */
  readonly characters: number
  /** Of a part as JSON, unless its only event has more. @default 262_144 */
  readonly partCharacters: number
}

/** A part in UTF-8 is less than the 1 MiB that a slow client may leave unread on its WebSocket. */
const feedLimits: FeedLimits = { events: 1_000, characters: 2_097_152, partCharacters: 262_144 }

/** The feed, in this process's memory and gone with it: the newest 1,000 events, and at most 2 Mi characters of them. */
export function createFeed(clock: { now(): number }, limits: Partial<FeedLimits> = {}): Feed {
  const { events: mostEvents, characters: mostCharacters, partCharacters } = { ...feedLimits, ...limits }
  const epoch = randomUUID()
  const kept: { readonly event: FeedEvent; readonly size: number }[] = []
  const listeners = new Set<(event: FeedEvent) => void>()
  let last = 0
  let characters = 0
  return {
    append(happening) {
      last += 1
      const event: FeedEvent = Object.freeze({ ...happening, id: last, at: Math.floor(clock.now()) })
      const size = JSON.stringify(event).length
      kept.push({ event, size })
      characters += size
      while (kept.length > mostEvents || (characters > mostCharacters && kept.length > 1)) {
        characters -= kept.shift()?.size ?? 0
      }
      for (const call of listeners) call(event)
      return event
    },
    page({ after = 0, epoch: asked, limit = mostEvents } = {}) {
      const from = asked === undefined || asked === epoch ? after : 0
      const events = kept.map(({ event }) => event).filter(({ id }) => id > from)
      return { epoch, events: events.slice(-limit) }
    },
    part({ after = 0, epoch: asked } = {}) {
      const from = asked === undefined || asked === epoch ? after : 0
      const wanted = kept.filter(({ event }) => event.id > from)
      let room = partCharacters
      const beyond = wanted.findIndex(({ size }, index) => {
        room -= size
        return room < 0 && index > 0
      })
      const events = (beyond < 0 ? wanted : wanted.slice(0, beyond)).map(({ event }) => event)
      return { epoch, events, more: beyond >= 0 }
    },
    subscribe(call) {
      const own = (event: FeedEvent): void => call(event)
      listeners.add(own)
      return () => void listeners.delete(own)
    },
  }
}
