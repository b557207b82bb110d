import type { ResourceMetadata } from '@modelcontextprotocol/sdk/server/mcp.js'
import type {
  AnySchema,
  SchemaOutput,
  ShapeOutput,
  ZodRawShapeCompat,
} from '@modelcontextprotocol/sdk/server/zod-compat.js'
import type { RequestHandlerExtra } from '@modelcontextprotocol/sdk/shared/protocol.js'
import type { Variables } from '@modelcontextprotocol/sdk/shared/uriTemplate.js'
import type {
  CallToolResult,
  GetPromptResult,
  ReadResourceResult,
  Resource,
  ServerNotification,
  ServerRequest,
  ToolAnnotations,
} from '@modelcontextprotocol/sdk/types.js'
import type { Access, CatalogueEntry, PrincipalFor } from '../access.ts'
import type { Call } from '../call.ts'
import type { GuardedHttp, GuardedStdio, HttpOptions, StdioOptions } from '../options.ts'

type MaybePromise<T> = T | Promise<T>

/** What a handler gets for a schema; nothing for none. */
export type ArgumentsOf<Schema> = Schema extends ZodRawShapeCompat
  ? ShapeOutput<Schema>
  : Schema extends AnySchema
    ? SchemaOutput<Schema>
    : undefined

type SdkExtra = RequestHandlerExtra<ServerRequest, ServerNotification>

/** What a handler gets beside its arguments, with the SDK's `RequestHandlerExtra` as `mcp`. */
export type ServerCall<A, Target extends string = never> = Call<SdkExtra, Target, PrincipalFor<A>>

interface Declared<A> {
  /** Who may use it. */
  readonly scopes: A
  readonly title?: string
  readonly description?: string
}

export interface ToolDeclaration<A, Input> extends Declared<A> {
  readonly inputSchema?: Input
  readonly outputSchema?: ZodRawShapeCompat | AnySchema
  readonly annotations?: ToolAnnotations
  readonly _meta?: Record<string, unknown>
}

export interface PromptDeclaration<A, Args> extends Declared<A> {
  readonly argsSchema?: Args
}

export interface ResourceDeclaration<A> extends Declared<A>, Omit<ResourceMetadata, 'title' | 'description'> {
  /** @default the last part of the URI */
  readonly name?: string
}

export interface ResourceTemplateDeclaration<A, Target extends string> extends ResourceDeclaration<A> {
  /** The resources of the template that `resources/list` shows to this caller. @default none */
  readonly list?: (call: ServerCall<A, Target>) => MaybePromise<readonly Resource[]>
  readonly complete?: Readonly<
    Record<string, (value: string, context?: { arguments?: Record<string, string> }) => MaybePromise<string[]>>
  >
}

export interface SessionOptions {
  /** Open sessions of all callers; past it the one unused for longest ends. 1 to 1,000,000. @default 10_000 */
  readonly max?: number
  /** Open sessions of one caller; past it that caller's one unused for longest ends. 1 to 10,000. @default 32 */
  readonly maxPerCaller?: number
  /** Seconds without a request or an open stream after which a session ends: 1 to 86,400. @default 1_800 */
  readonly idleSeconds?: number
}

export interface HttpOptionsV1<Scope extends string = string> extends HttpOptions<Scope> {
  /** `Mcp-Session-Id`, bound to subject and client; `false`: each request stands alone. */
  readonly sessions?: SessionOptions | false
}

/** An MCP server whose every tool, resource and prompt says who may use it. Each method gives the server back. */
export interface GuardedMcp<Scope extends string = string, Target extends string = never> {
  /**
   * @throws McpGuardError `no_access`, `unknown_scope`, `bad_name`, `duplicate`, `started`
   */
  tool<const A extends Access<Scope>, Input extends ZodRawShapeCompat | AnySchema | undefined = undefined>(
    name: string,
    declaration: ToolDeclaration<A, Input>,
    handler: (args: ArgumentsOf<Input>, call: ServerCall<A, Target>) => MaybePromise<CallToolResult>,
  ): GuardedMcp<Scope, Target>
  prompt<const A extends Access<Scope>, Args extends ZodRawShapeCompat | undefined = undefined>(
    name: string,
    declaration: PromptDeclaration<A, Args>,
    handler: (args: ArgumentsOf<Args>, call: ServerCall<A, Target>) => MaybePromise<GetPromptResult>,
  ): GuardedMcp<Scope, Target>
  resource<const A extends Access<Scope>>(
    uri: string,
    declaration: ResourceDeclaration<A>,
    read: (uri: URL, call: ServerCall<A, Target>) => MaybePromise<ReadResourceResult>,
  ): GuardedMcp<Scope, Target>
  resourceTemplate<const A extends Access<Scope>>(
    uriTemplate: string,
    declaration: ResourceTemplateDeclaration<A, Target>,
    read: (uri: URL, variables: Variables, call: ServerCall<A, Target>) => MaybePromise<ReadResourceResult>,
  ): GuardedMcp<Scope, Target>
  /** What was declared so far, in order of kind and name. */
  readonly catalogue: readonly CatalogueEntry<Scope>[]
  /**
   * Serves protocol 2025-11-25 and older over Streamable HTTP.
   * @throws McpGuardError `round_the_wrapper` when the factory's server has a tool, resource or prompt of its own;
   * `no_resource`, `bad_option`
   */
  http(options?: HttpOptionsV1<Scope>): Promise<GuardedHttp>
  /**
   * Serves the process's own stdin and stdout with one token.
   * @throws McpGuardError `token_refused` when it is not accepted; `round_the_wrapper`, `bad_option`
   */
  stdio(options: StdioOptions): Promise<GuardedStdio>
}
