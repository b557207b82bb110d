import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { catalogueOf, createCore } from '../core/core.ts'
import { declareResource, declareTemplate } from '../core/declare.ts'
import type { GuardMcpOptions } from '../options.ts'
import { serveHttp } from './serve-http.ts'
import { serveStdin } from './serve-stdin.ts'
import type { GuardedMcp } from './types.ts'
import { uriMatcher } from './uri-matcher.ts'

/**
 * Guards a server of `@modelcontextprotocol/sdk`. The factory makes the bare server, at the start to look at it
 * and then for each session or connection; everything that it offers is declared here.
 *
 * @example A tool that needs a scope
 * const guarded = guardMcp(() => new McpServer({ name: 'coder', version: '1.0.0' }), { guard })
 * guarded.tool('write_file', { scopes: ['code:write'], inputSchema }, async ({ path }, { principal }) => …)
 * createServer((await guarded.http({ resource: 'https://coder.example.com/mcp' })).node).listen(4700)
 */
export function guardMcp<Scope extends string, Target extends string = never>(
  factory: () => McpServer,
  options: GuardMcpOptions<Scope, Target>,
): GuardedMcp<Scope, Target> {
  const core = createCore(options)
  const { registry } = core
  const guarded: GuardedMcp<Scope, Target> = {
    tool(name, declaration, handler) {
      registry.add({ kind: 'tool', name, declaration, handler })
      return guarded
    },
    prompt(name, declaration, handler) {
      registry.add({ kind: 'prompt', name, declaration, handler })
      return guarded
    },
    resource(uri, declaration, handler) {
      registry.add(declareResource(uri, declaration, handler))
      return guarded
    },
    resourceTemplate(uriTemplate, declaration, handler) {
      registry.add(declareTemplate(uriTemplate, declaration, handler, uriMatcher(uriTemplate)))
      return guarded
    },
    get catalogue() {
      return catalogueOf<Scope>(core)
    },
    http: (options = {}) => serveHttp(core, factory, options),
    stdio: (options) => serveStdin(core, factory, options),
  }
  return guarded
}
