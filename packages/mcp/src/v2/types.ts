import type {
  CacheHint,
  CallToolResult,
  CompleteResourceTemplateCallback,
  GetPromptResult,
  Icon,
  InputRequiredResult,
  ReadResourceResult,
  Resource,
  ResourceMetadata,
  ServerContext,
  ServerNotifier,
  StandardSchemaWithJSON,
  ToolAnnotations,
  Variables,
} from '@modelcontextprotocol/server'
import type { Access, CatalogueEntry, PrincipalFor } from '../access.ts'
import type { Call } from '../call.ts'
import type { GuardedHttp, GuardedStdio, HttpOptions, StdioOptions } from '../options.ts'

type MaybePromise<T> = T | Promise<T>

/** What a handler gets for a schema; nothing for none. */
export type ArgumentsOf<Schema> = Schema extends StandardSchemaWithJSON
  ? StandardSchemaWithJSON.InferOutput<Schema>
  : undefined

/** What a handler gets beside its arguments, with the SDK's `ServerContext` as `mcp`. */
export type ServerCall<A, Target extends string = never> = Call<ServerContext, Target, PrincipalFor<A>>

interface Declared<A> {
  /** Who may use it. */
  readonly scopes: A
  readonly title?: string
  readonly description?: string
}

export interface ToolDeclaration<A, Input> extends Declared<A> {
  readonly inputSchema?: Input
  readonly outputSchema?: StandardSchemaWithJSON
  readonly annotations?: ToolAnnotations
  readonly icons?: Icon[]
  readonly _meta?: Record<string, unknown>
}

export interface PromptDeclaration<A, Args> extends Declared<A> {
  readonly argsSchema?: Args
  readonly icons?: Icon[]
  readonly _meta?: Record<string, unknown>
}

export interface ResourceDeclaration<A> extends Declared<A>, Omit<ResourceMetadata, 'title' | 'description'> {
  /** @default the last part of the URI */
  readonly name?: string
  readonly cacheHint?: CacheHint
}

export interface ResourceTemplateDeclaration<A, Target extends string> extends ResourceDeclaration<A> {
  /** The resources of the template that `resources/list` shows to this caller. @default none */
  readonly list?: (call: ServerCall<A, Target>) => MaybePromise<readonly Resource[]>
  readonly complete?: Readonly<Record<string, CompleteResourceTemplateCallback>>
}

export interface GuardedHttpServer extends GuardedHttp {
  /** Tells the subscribers of protocol 2026-07-28 what changed. */
  readonly notify: ServerNotifier
}

export interface SubscriptionOptions {
  /** Open `subscriptions/listen` streams of all callers. 1 to 1,000,000. @default 10_000 */
  readonly max?: number
  /** Those of one caller; all without a token are one. 1 to 10,000. @default 32 */
  readonly maxPerCaller?: number
}

export interface HttpOptionsV2<Scope extends string = string> extends HttpOptions<Scope> {
  readonly subscriptions?: SubscriptionOptions
}

/** An MCP server whose every tool, resource and prompt says who may use it. Each method gives the server back. */
export interface GuardedMcp<Scope extends string = string, Target extends string = never> {
  /**
   * @throws McpGuardError `no_access`, `unknown_scope`, `bad_name`, `duplicate`, `started`
   */
  tool<const A extends Access<Scope>, Input extends StandardSchemaWithJSON | undefined = undefined>(
    name: string,
    declaration: ToolDeclaration<A, Input>,
    handler: (
      args: ArgumentsOf<Input>,
      call: ServerCall<A, Target>,
    ) => MaybePromise<CallToolResult | InputRequiredResult>,
  ): GuardedMcp<Scope, Target>
  prompt<const A extends Access<Scope>, Args extends StandardSchemaWithJSON | undefined = undefined>(
    name: string,
    declaration: PromptDeclaration<A, Args>,
    handler: (
      args: ArgumentsOf<Args>,
      call: ServerCall<A, Target>,
    ) => MaybePromise<GetPromptResult | InputRequiredResult>,
  ): GuardedMcp<Scope, Target>
  resource<const A extends Access<Scope>>(
    uri: string,
    declaration: ResourceDeclaration<A>,
    read: (uri: URL, call: ServerCall<A, Target>) => MaybePromise<ReadResourceResult | InputRequiredResult>,
  ): GuardedMcp<Scope, Target>
  resourceTemplate<const A extends Access<Scope>>(
    uriTemplate: string,
    declaration: ResourceTemplateDeclaration<A, Target>,
    read: (
      uri: URL,
      variables: Variables,
      call: ServerCall<A, Target>,
    ) => MaybePromise<ReadResourceResult | InputRequiredResult>,
  ): GuardedMcp<Scope, Target>
  /** What was declared so far, in order of kind and name. */
  readonly catalogue: readonly CatalogueEntry<Scope>[]
  /**
   * Serves protocol 2026-07-28, and 2025-11-25 and older without sessions, at one endpoint.
   * @throws McpGuardError `round_the_wrapper` when the factory's server has a tool, resource or prompt of its own;
   * `no_resource`, `bad_option`
   */
  http(options?: HttpOptionsV2<Scope>): Promise<GuardedHttpServer>
  /**
   * Serves the process's own stdin and stdout with one token.
   * @throws McpGuardError `token_refused` when it is not accepted; `round_the_wrapper`, `bad_option`
   */
  stdio(options: StdioOptions): Promise<GuardedStdio>
}
