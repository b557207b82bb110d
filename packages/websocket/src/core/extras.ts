import type { ReadFrame } from '../read-frame.ts'

/** Something that goes on only while its scopes are held. */
export interface Subscription {
  readonly scopes: readonly string[]
  readonly stop: () => void
}

/** What few sockets have, or none for long: kept apart, so that ten thousand idle ones do not pay for it. */
export class Extras {
  onFrame: ((frame: string | Uint8Array) => void) | undefined = undefined
  onClose: ((code: number) => void)[] | undefined = undefined
  subscriptions: Set<Subscription> | undefined = undefined
  /** Messages that came while as many as may be were in hand. */
  backlog: ReadFrame[] | undefined = undefined
  /** Of a foreign protocol, until the application has it. */
  firstFrame: string | undefined = undefined
  /** When messages in hand have had their time, once the server goes away. */
  leaveDueMs: number | undefined = undefined
  /** When a client that takes too little has had its time. */
  slowDueMs: number | undefined = undefined
  /** Frames that were not given to the application since the connection was ending. */
  dropped = 0
  /** Ours, once we closed. */
  closeCode = 0
}
