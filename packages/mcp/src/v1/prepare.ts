import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js'
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import {
  type JSONRPCMessage,
  LATEST_PROTOCOL_VERSION,
  type ServerCapabilities,
} from '@modelcontextprotocol/sdk/types.js'
import { Caller, type Ticket } from '../core/caller.ts'
import type { Core } from '../core/core.ts'
import { collectDefinitions } from '../core/definitions.ts'
import { createLists, type Lists } from '../core/lists.ts'
import { register } from '../core/register.ts'
import { McpGuardError } from '../errors.ts'
import { fittingOf } from './fit.ts'

export type Factory = () => McpServer

/** What was found out at the start about the server that the factory makes. */
export interface Prepared {
  readonly capabilities: ServerCapabilities
  readonly lists: Lists
}

const nobody: Ticket = { caller: new Caller(undefined, undefined, {}), signal: undefined, traceId: undefined }

/**
 * Makes one server with everything on it, and has it list itself as a client would see it.
 *
 * @throws McpGuardError `round_the_wrapper`
 */
export async function prepare(core: Core, factory: Factory): Promise<Prepared> {
  const server = factory()
  try {
    register(
      fittingOf(core, server, () => nobody),
      core.registry.declared,
    )
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new McpGuardError('round_the_wrapper', `${message}: not by the guard.`, { cause })
  }
  const [ours, its] = InMemoryTransport.createLinkedPair()
  let answered: (message: JSONRPCMessage) => void = () => {}
  ours.onmessage = (message) => answered(message)
  const ask = (method: string, params: Record<string, unknown> = {}): Promise<Record<string, unknown> | undefined> =>
    new Promise((resolve, reject) => {
      answered = (message) => {
        if ('result' in message) resolve(message.result)
        else if ('error' in message && message.error.code === -32_601) resolve(undefined)
        else reject(new McpGuardError('bad_option', `The server cannot list itself (${method}).`))
      }
      ours.send({ jsonrpc: '2.0', id: 1, method, params }).catch(reject)
    })
  await server.connect(its)
  try {
    const opened = await ask('initialize', {
      protocolVersion: LATEST_PROTOCOL_VERSION,
      capabilities: {},
      clientInfo: { name: 'guard', version: '1' },
    })
    const definitions = await collectDefinitions(core.registry, (method) => ask(method))
    const capabilities = (opened?.capabilities ?? {}) as ServerCapabilities
    return { capabilities, lists: createLists(core.registry, definitions, core.door) }
  } finally {
    await server.close()
  }
}
