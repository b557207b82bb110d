export type { AuthenticateOptions, AuthModule, Rewrapped } from './auth-module.ts'
export type { AuthConfig, AuthModuleEvent, DefaultScope, ScopeProperties, SharedPasswordOptions } from './config.ts'
export { createAuthModule } from './create-auth-module.ts'
export {
  AuthModuleError,
  type AuthModuleErrorCode,
  authModuleErrorCodes,
  authModuleRemedies,
  isAuthModuleError,
} from './errors.ts'
export type { Machine, Machines, NewApiKey, NewMachine } from './machines.ts'
export type { ProtectedHandler, ProtectOptions } from './protect.ts'
export type { AuthFailure, AuthRefused, AuthResult, AuthSuccess } from './results.ts'
export type { TokenPayload } from './token-payload.ts'
export type { ModuleUser, ModuleUsers } from './users.ts'
