import { type McpServer, ResourceTemplate } from '@modelcontextprotocol/sdk/server/mcp.js'
import type { RequestHandlerExtra } from '@modelcontextprotocol/sdk/shared/protocol.js'
import {
  ErrorCode,
  ListPromptsRequestSchema,
  ListResourcesRequestSchema,
  ListResourceTemplatesRequestSchema,
  ListToolsRequestSchema,
  McpError,
  type ServerNotification,
  type ServerRequest,
} from '@modelcontextprotocol/sdk/types.js'
import type { Ticket } from '../core/caller.ts'
import type { Core } from '../core/core.ts'
import type { Fitting, Sdk } from '../core/register.ts'

export type Extra = RequestHandlerExtra<ServerRequest, ServerNotification>

const listSchemas = {
  'tools/list': ListToolsRequestSchema,
  'prompts/list': ListPromptsRequestSchema,
  'resources/list': ListResourcesRequestSchema,
  'resources/templates/list': ListResourceTemplatesRequestSchema,
}

const sdk: Sdk<McpServer, Extra> = {
  server: (server) => server as never,
  template: (uriTemplate, complete) =>
    new ResourceTemplate(uriTemplate, {
      list: undefined,
      ...(complete === undefined ? {} : { complete: complete as Record<string, never> }),
    }),
  signalOf: ({ signal }) => signal,
  notAllowed: () => new McpError(ErrorCode.InvalidRequest, 'The access token does not allow this'),
  setList: ({ server }, method, list) =>
    server.setRequestHandler(
      listSchemas[method] as typeof ListToolsRequestSchema,
      (_request, extra) => list(extra) as never,
    ),
}

export function fittingOf(
  core: Core,
  server: McpServer,
  ticketOf: (extra: Extra) => Ticket,
): Fitting<McpServer, Extra> {
  return { ...{ sdk, core, server, ticketOf }, listHint: {}, readHint: {} }
}
