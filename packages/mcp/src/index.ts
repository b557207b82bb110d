export type { Access, CatalogueEntry, EntryKind, PrincipalFor, ScopeHierarchy } from './access.ts'
export type { Call, Exchange, TokenForOptions } from './call.ts'
export {
  isMcpGuardError,
  McpGuardError,
  type McpGuardErrorCode,
  mcpGuardErrorCodes,
  mcpGuardRemedies,
} from './errors.ts'
export type { CallerIdentity, McpEvent, McpRefusal, McpTransport } from './events.ts'
export type {
  GuardedHttp,
  GuardedStdio,
  GuardMcpOptions,
  HttpOptions,
  StdioEnd,
  StdioOptions,
  StdioToken,
} from './options.ts'
