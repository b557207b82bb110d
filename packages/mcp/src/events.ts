import type { RejectionCode } from '@countersign/tokens'

export type McpTransport = 'http' | 'stdio'

/** Who called, as far as the token says. */
export interface CallerIdentity {
  readonly issuer: string
  readonly subject: string
  readonly clientId?: string
  /** Who acts for the subject, the current actor first (`act`, RFC 8693). */
  readonly actors: readonly string[]
  /** `jti`. */
  readonly tokenId?: string
}

/** Why a request came no further than the door. */
export type McpRefusal =
  | 'host'
  | 'origin'
  | 'method'
  | 'media_type'
  | 'too_large'
  | 'not_json'
  | 'batch_too_large'
  | 'too_many_subscriptions'
  | 'session_unknown'
  | 'session_of_another'

/** What the guard of an MCP server reports. No token, no argument, no result. */
export type McpEvent =
  /** One for each JSON-RPC request, when it is decided. */
  | {
      readonly type: 'call'
      readonly transport: McpTransport
      /** `tools/call`, `resources/read`, …; of another, `other`. */
      readonly method: string
      /** The declared entry that it is about; absent for lists, and for what was never declared. */
      readonly name?: string
      readonly decision: 'admitted' | 'denied'
      /** With `denied`: the guard's code, or `undeclared` for what nobody declared. */
      readonly code?: RejectionCode | 'undeclared'
      readonly missingScopes?: readonly string[]
      /** Absent without an accepted token. */
      readonly caller?: CallerIdentity
      /** Of the caller's `traceparent`. */
      readonly traceId?: string
    }
  /** A request refused before its token was looked at, or for its session. */
  | { readonly type: 'refused'; readonly transport: McpTransport; readonly reason: McpRefusal }
  /** Streams and calls under way that ended because their token did. */
  | {
      readonly type: 'ended'
      readonly transport: McpTransport
      readonly reason: 'expired' | 'revoked' | 'stale'
      readonly caller: CallerIdentity
    }
  /** A fault of ours or of a handler of the SDK: answered 500. */
  | { readonly type: 'fault'; readonly transport: McpTransport; readonly cause: unknown }
