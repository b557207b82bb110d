import type { Availability, Guard } from '@countersign/guard'
import type { Clock, Principal } from '@countersign/tokens'
import type { WebSocketEvent } from './events.ts'
import type { Limits } from './limits.ts'

/** How somebody else's protocol brings its token. */
export interface Envelope {
  /** Finds the token in the first text frame; `undefined` closes with 4400. The frame is then given to `onFrame`. */
  readToken(firstFrame: string): string | undefined
}

export interface CoreOptions<Scope extends string> {
  readonly guard: Guard<Scope>
  /** Scopes by message type; without any, frames go to `onFrame` as they come. */
  readonly messages: ReadonlyMap<string, readonly Scope[]> | undefined
  readonly scopes: readonly Scope[]
  readonly availability: Availability | undefined
  readonly refresh: (principal: Principal) => boolean
  readonly envelopes: ReadonlyMap<string, Envelope>
  /** Clients without a subprotocol may send the first message of their own accord. */
  readonly plain: boolean
  readonly limits: Limits
  readonly clock: Clock
  readonly random: () => number
  readonly onEvent: ((event: WebSocketEvent) => void) | undefined
}
