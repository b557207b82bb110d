import {
  type CompleteResourceTemplateCallback,
  type McpServer,
  ProtocolError,
  ProtocolErrorCode,
  ResourceNotFoundError,
  ResourceTemplate,
  type ServerCapabilities,
  type ServerContext,
} from '@modelcontextprotocol/server'
import type { Ticket } from '../core/caller.ts'
import type { Core } from '../core/core.ts'
import type { Operation } from '../core/operation.ts'
import type { Fitting, Sdk } from '../core/register.ts'

export type Era = 'legacy' | 'modern'

const sdk: Sdk<McpServer, ServerContext> = {
  server: (server) => server,
  template: (uriTemplate, complete) =>
    new ResourceTemplate(uriTemplate, {
      list: undefined,
      ...(complete === undefined ? {} : { complete: complete as Record<string, CompleteResourceTemplateCallback> }),
    }),
  signalOf: (context) => context.mcpReq.signal,
  notAllowed: () => new ProtocolError(ProtocolErrorCode.InvalidRequest, 'The access token does not allow this'),
  setList: ({ server }, method, list) =>
    server.setRequestHandler(method, (_request, context) => list(context) as never),
}

export function fittingOf(
  core: Core,
  server: McpServer,
  era: Era,
  ticketOf: (context: ServerContext) => Ticket,
): Fitting<McpServer, ServerContext> {
  // Older protocols know no such hints.
  const isModern = era === 'modern'
  return {
    ...{ sdk, core, server, ticketOf },
    listHint: isModern ? { ttlMs: core.listTtlMs, cacheScope: 'private' } : {},
    readHint: isModern ? { cacheScope: 'private' } : {},
  }
}

/** Whatever the factory's server would do about what nobody declared: here it knows nothing of it. */
export function closeOff({ server }: McpServer, operations: readonly Operation[]): void {
  delete server.fallbackRequestHandler
  for (const { undeclared, method, called } of operations) {
    if (called !== undefined) server.removeRequestHandler(called)
    if (undeclared !== 'name' || !canServe(server.getCapabilities(), method)) continue
    server.setRequestHandler(method as 'tools/call', (request) => {
      const { name, uri } = request.params as { readonly name?: unknown; readonly uri?: unknown }
      if (method === 'resources/read') throw new ResourceNotFoundError(String(uri))
      throw new ProtocolError(ProtocolErrorCode.InvalidParams, `${String(name ?? uri ?? 'It').slice(0, 128)} not found`)
    })
  }
}

function canServe({ tools, prompts, resources, completions }: ServerCapabilities, method: string): boolean {
  return { tools, prompts, resources, completion: completions }[method.split('/')[0] ?? ''] !== undefined
}
