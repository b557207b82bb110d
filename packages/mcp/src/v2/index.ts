export type { Access, CatalogueEntry, EntryKind, PrincipalFor, ScopeHierarchy } from '../access.ts'
export type { Call, Exchange, TokenForOptions } from '../call.ts'
export { isMcpGuardError, McpGuardError, type McpGuardErrorCode } from '../errors.ts'
export type { CallerIdentity, McpEvent, McpRefusal, McpTransport } from '../events.ts'
export type {
  GuardedHttp,
  GuardedStdio,
  GuardMcpOptions,
  HttpOptions,
  StdioEnd,
  StdioOptions,
  StdioToken,
} from '../options.ts'
export { guardMcp } from './guard-mcp.ts'
export type {
  ArgumentsOf,
  GuardedHttpServer,
  GuardedMcp,
  HttpOptionsV2,
  PromptDeclaration,
  ResourceDeclaration,
  ResourceTemplateDeclaration,
  ServerCall,
  SubscriptionOptions,
  ToolDeclaration,
} from './types.ts'
