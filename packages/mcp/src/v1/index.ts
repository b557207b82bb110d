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
export {
  type ArgumentsOf,
  type GuardedMcp,
  guardMcp,
  type HttpOptionsV1,
  type PromptDeclaration,
  type ResourceDeclaration,
  type ResourceTemplateDeclaration,
  type ServerCall,
  type SessionOptions,
  type ToolDeclaration,
} from './guard-mcp.ts'
