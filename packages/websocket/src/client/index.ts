export type { GetToken, GetTokenReason, GetTokenRequest } from '../get-token.ts'
export type { BackoffOptions } from './backoff.ts'
export type {
  ClientEvent,
  ClientSocket,
  ClientState,
  ConnectOptions,
  RequestOptions,
  SendOptions,
  StateDetails,
  StopReason,
} from './client-socket.ts'
export { connect } from './connect.ts'
export type { WebSocketConstructor, WebSocketLike } from './link.ts'
export type { QueueOptions } from './queue.ts'
export { allowInsecureUrl } from './url.ts'
