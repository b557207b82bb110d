import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Guard } from '@countersign/guard'
import type { Principal } from '@countersign/tokens'
import type { CatalogueEntry, ScopeHierarchy } from './access.ts'
import type { Exchange } from './call.ts'
import type { McpEvent } from './events.ts'

export interface GuardMcpOptions<Scope extends string = string, Target extends string = never> {
  readonly guard: Guard<Scope>
  /** Scopes that bring others along. A scope that implies a sensitive one should be marked sensitive itself. */
  readonly implies?: ScopeHierarchy<Scope>
  /** Where handlers may ask `tokenFor`: only these functions ever see a caller's token. */
  readonly exchange?: Readonly<Record<Target, Exchange>>
  /** How long a client may keep a filtered list, in milliseconds (protocol 2026-07-28). 0 to 86,400,000. @default 60_000 */
  readonly listTtlMs?: number
  /** Called synchronously, so it does no more than count or enqueue. Must not throw. */
  readonly onEvent?: (event: McpEvent) => void
}

export interface HttpOptions<Scope extends string = string> {
  /** Where the server answers: https, or http on loopback. Its path is the endpoint. @default the guard's `resource` */
  readonly resource?: string
  /**
   * What a client asks for first: `scopes_supported` of the RFC 9728 document, and `scope` of a 401 that is about no
   * particular tool. Keep it minimal; tools ask for theirs when they are called. @default none
   */
  readonly baselineScopes?: readonly Scope[]
  /**
   * Without a token, also answer what opens a connection and lists (with what is public in them). Otherwise only calls
   * of what is public need none. @default false
   */
  readonly anonymous?: boolean
  /** Names that `Host` may have, with or without a port. @default that of `resource`, and the names of loopback */
  readonly hosts?: readonly string[]
  /** Origins of browser pages that may call, exactly; they get CORS headers. @default that of `resource`, and the same host */
  readonly origins?: readonly string[]
  /** Largest request body in bytes: 1,024 to 67,108,864. @default 1_048_576 */
  readonly maxBodyBytes?: number
  /** Most messages in a batch (protocol 2025-03-26): 1 to 100. @default 20 */
  readonly maxBatch?: number
  /** Who may read `<path>/catalogue`: what there is and what it takes. @default 'token' */
  readonly catalogue?: 'token' | 'public' | 'none'
  /** Named in challenges: printable ASCII without `"` and `\`, at most 128 characters. */
  readonly realm?: string
}

/** Guarded MCP over HTTP, with its RFC 9728 documents. */
export interface GuardedHttp {
  /** For servers that speak `Request` and `Response`. */
  readonly fetch: (request: Request) => Promise<Response>
  /**
   * For `node:http`'s `createServer` and Express's `use` (without a path before it). `parsedBody`: what a body parser
   * before it made of the body; Express's `req.body` is found by itself.
   */
  readonly node: (request: IncomingMessage, response: ServerResponse, parsedBody?: unknown) => Promise<void>
  /** What there is and what it takes, for documents and tests. */
  readonly catalogue: readonly CatalogueEntry[]
  /** Ends every stream and session; requests are answered 503 afterwards. The guard stays open: closing it is yours. */
  close(): Promise<void>
}

/** A token from somewhere: an environment variable, a credential store, `getToken` of a token source. */
export type StdioToken =
  | string
  | ((options?: { readonly reason?: string; readonly token?: string }) => Promise<string | undefined>)

export interface StdioOptions {
  /** Asked at the start and at each call, so a function should keep what it has; a string is used until it ends. */
  readonly token: StdioToken | undefined
  /** @default `process.stdin` */
  readonly input?: NodeJS.ReadableStream
  /** @default `process.stdout` */
  readonly output?: NodeJS.WritableStream
}

/** Why a guarded stdio connection is over. */
export type StdioEnd = 'expired' | 'revoked' | 'stale' | 'closed'

export interface GuardedStdio {
  /** Whom the process acted for at its start. */
  readonly principal: Principal
  /** Resolves when the connection is over, whoever ended it; ending the process is the program's. */
  readonly ended: Promise<StdioEnd>
  close(): Promise<void>
}
