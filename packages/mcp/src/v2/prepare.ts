import {
  type AuthInfo,
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  createMcpHandler,
  type McpRequestContext,
  type McpServer,
  PROTOCOL_VERSION_META_KEY,
  type ServerCapabilities,
} from '@modelcontextprotocol/server'
import { Caller, type Ticket } from '../core/caller.ts'
import type { Core } from '../core/core.ts'
import { collectDefinitions } from '../core/definitions.ts'
import { createLists, type Lists } from '../core/lists.ts'
import { register } from '../core/register.ts'
import { McpGuardError } from '../errors.ts'
import { type Era, fittingOf } from './fit.ts'

export type Factory = (context: McpRequestContext) => McpServer

/** What was found out at the start about the server that the factory makes. */
export interface Prepared {
  readonly capabilities: ServerCapabilities
  readonly lists: Readonly<Record<Era, Lists>>
}

/** The protocol that is asked first; a newer SDK says which one it speaks. */
const modernVersion = '2026-07-28'

const nobody: Ticket = { caller: new Caller(undefined, undefined, {}), signal: undefined, traceId: undefined }

/**
 * Makes one server with everything on it, and has it list itself as clients of both protocols would see it.
 *
 * @throws McpGuardError `round_the_wrapper`
 */
export async function prepare(core: Core, factory: Factory): Promise<Prepared> {
  let capabilities: ServerCapabilities = {}
  const handler = createMcpHandler((context) => {
    const server = factory(context)
    try {
      register(
        fittingOf(core, server, context.era, () => nobody),
        core.registry.declared,
      )
    } catch (cause) {
      fault = new McpGuardError('round_the_wrapper', `${messageOf(cause)}: not by the guard.`, { cause })
      throw fault
    }
    capabilities = server.server.getCapabilities()
    return server
  })
  let fault: McpGuardError | undefined
  let version = modernVersion

  const send = async (era: Era, method: string): Promise<Record<string, unknown> | undefined> => {
    const { result, error } = await ask(handler.fetch, era === 'modern' ? version : undefined, method)
    if (fault !== undefined) throw fault
    if (result !== undefined) return result
    const supported = error?.data?.supported?.[0]
    if (era === 'modern' && supported !== undefined && supported !== version) {
      version = supported
      return send(era, method)
    }
    if (error?.code === -32_601) return undefined
    throw new McpGuardError('bad_option', `The server cannot list itself (${method}): ${error?.message ?? 'no answer'}`)
  }
  try {
    const { registry, door } = core
    const modern = await collectDefinitions(registry, (method) => send('modern', method))
    const legacy = await collectDefinitions(registry, (method) => send('legacy', method))
    return {
      capabilities,
      lists: { modern: createLists(registry, modern, door), legacy: createLists(registry, legacy, door) },
    }
  } finally {
    await handler.close()
  }
}

interface RpcAnswer {
  readonly result?: Record<string, unknown>
  readonly error?: {
    readonly code?: number
    readonly message?: string
    readonly data?: { supported?: readonly string[] }
  }
}

const probing: AuthInfo = { token: '', clientId: '', scopes: [] }

async function ask(
  send: (request: Request, options: { authInfo: AuthInfo; parsedBody: unknown }) => Promise<Response>,
  version: string | undefined,
  method: string,
): Promise<RpcAnswer> {
  const meta = {
    [PROTOCOL_VERSION_META_KEY]: version,
    [CLIENT_INFO_META_KEY]: { name: 'guard', version: '1' },
    [CLIENT_CAPABILITIES_META_KEY]: {},
  }
  const headers = {
    'Content-Type': 'application/json',
    Accept: 'application/json, text/event-stream',
    ...(version === undefined ? {} : { 'Mcp-Protocol-Version': version, 'Mcp-Method': method }),
  }
  const parsedBody = { jsonrpc: '2.0', id: 1, method, params: version === undefined ? {} : { _meta: meta } }
  const request = new Request('http://localhost/', { method: 'POST', headers })
  const text = await (await send(request, { authInfo: probing, parsedBody })).text()
  const data = /^data: (.+)$/m.exec(text)?.[1] ?? text
  return JSON.parse(data)
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
