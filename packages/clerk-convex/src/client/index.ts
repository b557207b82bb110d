export type { AuthenticatedClient } from './convex-client.ts'
export { type KeepAuthenticatedOptions, type KeptAuth, keepAuthenticated } from './keep-authenticated.ts'
export {
  type ClerkJs,
  type ClerkJsSession,
  type ClerkSessionState,
  type ClerkSource,
  clerkJs,
  type GetTokenOptions,
  isSessionEnd,
} from './source.ts'
export type { ClientAuthEvent, ClientAuthState, ClientAuthStatus, RenewalFailure } from './status.ts'
export { browserTabs, channelTabs, type Tabs } from './tabs.ts'
