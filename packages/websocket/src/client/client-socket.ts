import type { Clock } from '@countersign/tokens'
import type { Retry } from '../close-codes.ts'
import type { GetToken } from '../get-token.ts'
import type { BackoffOptions } from './backoff.ts'
import type { WebSocketConstructor } from './link.ts'
import type { QueueOptions } from './queue.ts'
import type { allowInsecureUrl } from './url.ts'

export type ClientState = 'connecting' | 'ready' | 'waiting' | 'stopped'

/** Why a client stopped for good. `refused`: the server does not want this client, or not even its newest token. */
export type StopReason = 'logout' | 'closed' | 'signed_out' | 'refused'

export interface StateDetails {
  /** With `stopped`. */
  readonly reason?: StopReason
  /** How the last connection ended, with `waiting` and `stopped`; 1006 where it was lost. */
  readonly code?: number
  /** With `waiting`. */
  readonly retryInMs?: number
}

/** What goes wrong without a caller to tell. No token, and nothing of a message but a server's own code. */
export type ClientEvent =
  | { readonly type: 'closed'; readonly code: number; readonly retry: Retry }
  | { readonly type: 'token_failed'; readonly cause: unknown }
  /** The server said no to a message that no answer was waited for. */
  | { readonly type: 'refused'; readonly code: string; readonly retry: Retry }
  /** A callback of the application threw. */
  | { readonly type: 'fault'; readonly cause: unknown }

export interface ConnectOptions {
  /** Asked for each connection, before a token ends, and when one was refused. Nothing is kept longer than it is used. */
  readonly getToken: GetToken
  /** Milliseconds for `getToken`. @default 30000 */
  readonly tokenMs?: number
  /** Milliseconds until a connection is open and asks for the token. @default 10000 */
  readonly connectMs?: number
  /** Milliseconds from sending the token to its being accepted. @default 10000 */
  readonly authMs?: number
  readonly backoff?: Partial<BackoffOptions>
  /** Messages that wait for a connection. */
  readonly queue?: Partial<QueueOptions>
  /** @default the runtime's own: every browser, and Node from 22 on */
  readonly WebSocket?: WebSocketConstructor
  readonly clock?: Clock
  /** @default Math.random */
  readonly random?: () => number
  readonly onEvent?: (event: ClientEvent) => void
  /** See {@link allowInsecureUrl}. */
  readonly [allowInsecureUrl]?: boolean
}

export interface SendOptions {
  /** How long the message may wait for a connection. @default the queue's `ttlMs` */
  readonly ttlMs?: number
}

export interface RequestOptions extends SendOptions {
  /** @default 30000 */
  readonly timeoutMs?: number
  /**
   * When the connection is lost before the answer, nobody knows whether the message had its effect: `never` fails with
   * `connection_lost`, `idempotent` sends it again. @default 'never'
   */
  readonly replay?: 'never' | 'idempotent'
}

export interface ClientSocket {
  readonly state: ClientState
  /** Calls back with each message of a type; the result stops that. Several may listen. */
  on(type: string, call: (data: unknown) => void): () => void
  /** Calls back with each change, and at once with how things are. The result stops that. */
  onState(call: (state: ClientState, details: StateDetails) => void): () => void
  /**
   * Resolves once the message was handed to a connection, which is no promise that it arrived; `request` knows.
   * @throws WebSocketError `stopped`, `queue_full`, `queue_expired`, `too_large`, `unknown_type`
   */
  send(type: string, data?: unknown, options?: SendOptions): Promise<void>
  /**
   * Resolves to the `data` of the first answer.
   * @throws WebSocketError as `send`, and `refused`, `no_answer`, `connection_lost`
   */
  request(type: string, data?: unknown, options?: RequestOptions): Promise<unknown>
  /** Connects now instead of when the wait is over, but no sooner than the server asked. */
  reconnect(): void
  /** Ends the connection for good and forgets everything: token, waiting messages, listeners. */
  logout(): void
  /** Ends the connection for good. */
  close(): void
}
