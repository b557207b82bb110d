import {
  type CacheHint,
  type CompleteResourceTemplateCallback,
  type McpServer,
  ProtocolError,
  ProtocolErrorCode,
  type ReadResourceResult,
  ResourceNotFoundError,
  ResourceTemplate,
  type ServerCapabilities,
  type ServerContext,
  type Variables,
} from '@modelcontextprotocol/server'
import { makeCall, type Ticket } from '../core/caller.ts'
import type { Core } from '../core/core.ts'
import type { Lists } from '../core/lists.ts'
import type { Operation } from '../core/operation.ts'
import type { Entry } from '../core/registry.ts'
import { resourceList } from '../core/resource-list.ts'

export type Era = 'legacy' | 'modern'

/** One server, and whom it serves. */
export interface Fitting {
  readonly server: McpServer
  readonly era: Era
  readonly core: Core
  readonly ticketOf: (context: ServerContext) => Ticket
}

/** Puts the entries on a bare server. */
export function register(fitting: Fitting, entries: readonly Entry[]): void {
  for (const entry of entries) registrars[entry.kind](fitting, entry)
}

type Handler = (...args: readonly unknown[]) => unknown

/** The handler as it was declared: behind its access once more, and with the call for its last argument. */
function guarded(
  { core, ticketOf }: Fitting,
  entry: Entry,
): (args: readonly unknown[], context: ServerContext) => unknown {
  const handler = entry.handler as Handler
  return (args, context) => {
    const ticket = ticketOf(context)
    if (!core.door.mayUse(ticket.caller, entry)) {
      throw new ProtocolError(ProtocolErrorCode.InvalidRequest, 'The access token does not allow this')
    }
    return handler(...args, makeCall(ticket, context, context.mcpReq.signal))
  }
}

const registrars: Readonly<Record<Entry['kind'], (fitting: Fitting, entry: Entry) => void>> = {
  tool(fitting, entry) {
    const run = guarded(fitting, entry)
    const { inputSchema } = entry.declared
    const handler =
      inputSchema === undefined
        ? (context: ServerContext) => run([undefined], context)
        : (args: unknown, context: ServerContext) => run([args], context)
    fitting.server.registerTool(entry.name, entry.declared, handler as never)
  },
  prompt(fitting, entry) {
    const run = guarded(fitting, entry)
    const { argsSchema } = entry.declared
    const handler =
      argsSchema === undefined
        ? (context: ServerContext) => run([undefined], context)
        : (args: unknown, context: ServerContext) => run([args], context)
    fitting.server.registerPrompt(entry.name, entry.declared as never, handler as never)
  },
  resource(fitting, entry) {
    const run = guarded(fitting, entry)
    const { name, ...config } = entry.declared
    fitting.server.registerResource(String(name), entry.name, config, async (uri, context) =>
      kept(fitting, entry, await run([uri], context)),
    )
  },
  'resource-template'(fitting, entry) {
    const run = guarded(fitting, entry)
    const { name, list, complete, ...config } = entry.declared
    // Its resources are listed by us, filtered; the SDK asks nobody.
    const template = new ResourceTemplate(entry.name, {
      list: undefined,
      ...(complete === undefined ? {} : { complete: complete as Record<string, CompleteResourceTemplateCallback> }),
    })
    fitting.server.registerResource(String(name), template, config, async (uri, variables: Variables, context) =>
      kept(fitting, entry, await run([uri, variables], context)),
    )
  },
}

/** What is not public stays out of shared caches, whatever the server's own hints say. */
function kept({ era }: Fitting, { access }: Entry, result: unknown): ReadResourceResult {
  const read = result as ReadResourceResult
  return era === 'modern' && access !== 'public' ? { ...read, cacheScope: 'private' } : read
}

/** What the whole server can do, whichever part of it a request has need of. */
export function announce({ server }: Fitting, capabilities: ServerCapabilities): void {
  server.server.registerCapabilities(capabilities)
}

/** Lists of what the caller may use, in place of the SDK's. */
export function filterLists({ server, era, core, ticketOf }: Fitting, lists: Lists): void {
  const inner = server.server
  const { tools, prompts, resources } = inner.getCapabilities()
  const hint: CacheHint = era === 'modern' ? { ttlMs: core.listTtlMs, cacheScope: 'private' } : {}
  if (tools !== undefined) {
    inner.setRequestHandler('tools/list', (_request, context) => {
      return { tools: lists.list('tool', ticketOf(context).caller), ...hint } as never
    })
  }
  if (prompts !== undefined) {
    inner.setRequestHandler('prompts/list', (_request, context) => {
      return { prompts: lists.list('prompt', ticketOf(context).caller), ...hint } as never
    })
  }
  if (resources === undefined) return
  inner.setRequestHandler('resources/list', async (_request, context) => {
    const ticket = ticketOf(context)
    const call = makeCall(ticket, context, context.mcpReq.signal)
    return { resources: await resourceList(core, lists, ticket.caller, call), ...hint } as never
  })
  inner.setRequestHandler('resources/templates/list', (_request, context) => {
    return { resourceTemplates: lists.list('resource-template', ticketOf(context).caller), ...hint } as never
  })
}

/** Whatever the factory's server would do about what nobody declared: here it knows nothing of it. */
export function closeOff({ server }: Fitting, operations: readonly Operation[]): void {
  const inner = server.server
  delete inner.fallbackRequestHandler
  for (const { undeclared, method, called } of operations) {
    if (called !== undefined) inner.removeRequestHandler(called)
    if (undeclared !== 'name' || !canServe(inner.getCapabilities(), method)) continue
    inner.setRequestHandler(method as 'tools/call', (request) => {
      const { name, uri } = request.params as { readonly name?: unknown; readonly uri?: unknown }
      if (method === 'resources/read') throw new ResourceNotFoundError(String(uri))
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, `${String(name ?? uri ?? 'It').slice(0, 128)} not found`)
    })
  }
}

function canServe(capabilities: ServerCapabilities, method: string): boolean {
  const { tools, prompts, resources, completions } = capabilities
  const needed = { tools, prompts, resources, completion: completions }[method.split('/')[0] ?? '']
  return needed !== undefined
}
