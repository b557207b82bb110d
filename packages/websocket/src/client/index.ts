export type { GetToken, GetTokenReason, GetTokenRequest } from '../get-token.ts'
export type { BackoffOptions } from './backoff.ts'
export {
  type ClientEvent,
  type ClientSocket,
  type ClientState,
  type ConnectOptions,
  connect,
  type RequestOptions,
  type SendOptions,
  type StateDetails,
  type StopReason,
} from './connect.ts'
export type { WebSocketConstructor, WebSocketLike } from './link.ts'
export type { QueueOptions } from './queue.ts'
export { allowInsecureUrl } from './url.ts'
