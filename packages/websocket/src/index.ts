export { type CloseCode, type CloseReason, closeCodes, type Retry, retryAfterClose } from './close-codes.ts'
export {
  isWebSocketError,
  type Refusal,
  WebSocketError,
  type WebSocketErrorCode,
  webSocketErrorCodes,
  webSocketRemedies,
} from './errors.ts'
export {
  type AuthFrame,
  type AuthOkFrame,
  type AuthRefreshFrame,
  type AuthRequiredFrame,
  type ErrorFrame,
  type MessageFrame,
  type PingFrame,
  type PongFrame,
  type RefreshReason,
  subprotocol,
} from './frames.ts'
export type { GetToken, GetTokenReason, GetTokenRequest } from './get-token.ts'
