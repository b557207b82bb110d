export { authorizedFetch } from './authorized-fetch.ts'
export { createTokenExchanger, type TokenExchanger, type TokenExchangerOptions } from './create-token-exchanger.ts'
export { createTokenSource, type TokenSource } from './create-token-source.ts'
export {
  isTokenSourceError,
  TokenSourceError,
  type TokenSourceErrorCode,
  type TokenSourceErrorDetails,
  tokenSourceErrorCodes,
  tokenSourceRemedies,
} from './errors.ts'
export type {
  ClientCredentials,
  ClientOptions,
  GetTokenOptions,
  Grant,
  KeepOptions,
  PrivateJwk,
  RefreshToken,
  ServerOptions,
  StoredTokens,
  Target,
  TokenExchange,
  TokenSourceEvent,
  TokenSourceOptions,
  TokenStore,
} from './options.ts'
