export type { ClientAuthEvent, ClientAuthState, ClientAuthStatus } from '../client/status.ts'
export { ConvexClerkProvider, type ConvexClerkProviderProps, useAuthStatus } from './convex-clerk-provider.tsx'
export type { UseClerkAuth } from './hook-source.ts'
export { type AuthCall, useAuthAction, useAuthMutation, useAuthRenewal } from './use-auth-calls.ts'
