import type { Principal } from '@countersign/tokens'
import type { RefreshReason } from '../frames.ts'

/** One authenticated socket, as the application meets it. */
export interface Connection<Scope extends string = string> {
  /** The `sid` of `auth.ok` and of events. */
  readonly sid: string
  /** The subprotocol that was agreed on; empty in the plain form. */
  readonly protocol: string
  /** Whom it speaks for now: another object after each authentication, never another identity. */
  readonly principal: Principal
  /** True until it is closing. */
  readonly isOpen: boolean
  /**
   * Sends `{ type, data }`. False, and nothing is sent, once the principal has ended or the socket is closing.
   * @throws WebSocketError `unknown_type` for a type of the protocol
   */
  send(type: string, data?: unknown): boolean
  /** Sends a frame as it is, for envelopes of your own. False as in `send`. */
  sendFrame(frame: string | Uint8Array): boolean
  /** Takes frames as they come, where no `messages` are declared: text as a string, anything else as bytes. */
  onFrame(call: (frame: string | Uint8Array) => void): void
  /** Calls back once when it is over, whoever ended it. */
  onClose(call: (code: number) => void): void
  /** Does the principal hold all of these scopes now? */
  permits(...scopes: readonly Scope[]): boolean
  /**
   * For what goes on after its message, such as a subscription: calls `stop` once, when the connection ends or when it
   * authenticates again without these scopes. The result says that it ended by itself.
   */
  whilePermitted(scopes: readonly Scope[], stop: () => void): () => void
  /** Takes another token of the same identity that an envelope's own message brought; resolves to whether it was taken. */
  reauthenticate(token: string): Promise<boolean>
  /** Asks the client to authenticate again. Does nothing in the plain form and for foreign envelopes. */
  askToReauthenticate(reason: RefreshReason): void
  /** Ends it. 1000, or one of 4000 to 4999; the contract of ranges holds for 4400 to 4499. @default 1000 */
  close(code?: number, reason?: string): void
}

/** A message of a declared type, from a client that may send it. */
export interface Message<Scope extends string = string> {
  readonly type: string
  readonly data: unknown
  /** Under whose authority it came: later authentications do not change it. */
  readonly principal: Principal
  readonly connection: Connection<Scope>
  /** Sends an answer that names the message's `id`. False as in {@link Connection.send}. */
  reply(answer: { readonly type: string; readonly data?: unknown }): boolean
  /** Says no: an `error` frame with a code of yours. */
  refuse(code: string, retry?: 'never' | 'backoff'): boolean
}

export type MessageHandler<Scope extends string = string> = (message: Message<Scope>) => void | Promise<void>
