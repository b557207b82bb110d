import { type AuthInfo, createMcpHandler, type McpServer } from '@modelcontextprotocol/server'
import { authInfoOf } from '../core/caller.ts'
import type { Core } from '../core/core.ts'
import type { Lists } from '../core/lists.ts'
import type { Operation } from '../core/operation.ts'
import { filterLists, register } from '../core/register.ts'
import { rpcCodes, rpcError } from '../http/answers.ts'
import { createBrowserRules } from '../http/browser-rules.ts'
import { createEndpoint } from '../http/endpoint.ts'
import { facesOf } from '../http/faces.ts'
import { type Admitted, type Backend, isStream } from '../http/serving.ts'
import { checkHttpOptions } from '../http/settings.ts'
import { closeOff, fittingOf } from './fit.ts'
import { type Factory, type Prepared, prepare } from './prepare.ts'
import { Subscriptions } from './subscriptions.ts'
import type { GuardedHttpServer, HttpOptionsV2 } from './types.ts'

export async function serveHttp(core: Core, factory: Factory, options: HttpOptionsV2): Promise<GuardedHttpServer> {
  const { guard, door, registry, report } = core
  const settings = checkHttpOptions(guard, options)
  const browser = createBrowserRules(settings.resource, options.hosts, options.origins)
  const subscriptions = new Subscriptions(options.subscriptions)
  registry.seal()
  const prepared = await prepare(core, factory)
  const handler = createHandler(core, factory, prepared, subscriptions)
  const { catalogue } = registry
  const backend: Backend = { methods: ['POST'], close: handler.close, handle: handler.handle }
  const endpoint = createEndpoint({ guard, door, registry, backend, browser, catalogue, settings, report })
  return { ...facesOf(endpoint, catalogue), notify: handler.notify }
}

/**
 * The SDK's handler, one server for each request. The server has those entries only that the request was admitted to, so
 * nothing else can be reached however the SDK reads the request; and it costs less than to put them all on it.
 */
function createHandler(core: Core, factory: Factory, { capabilities, lists }: Prepared, subscriptions: Subscriptions) {
  /** By the very object that goes through the SDK: nothing in it can be made up by a caller. */
  const admitted = new WeakMap<AuthInfo, Served>()
  const handler = createMcpHandler(
    (context) => {
      const served = context.authInfo && admitted.get(context.authInfo)
      if (served === undefined) throw new Error('A request came past the door.')
      const { ticket } = served
      try {
        const server = factory(context)
        const fitting = fittingOf(core, server, context.era, () => ticket)
        register(fitting, [...new Set(ticket.operations.flatMap(({ entries }) => entries))])
        // What the whole server can do, whichever part of it this request has need of.
        server.server.registerCapabilities(capabilities)
        const own = lists[context.era]
        rememberSchemas(server, ticket, own)
        const isWritten = context.era === 'modern' && isToolList(ticket)
        if (isWritten) served.tools = own.text('tool', ticket.caller)
        filterLists(fitting, isWritten ? { ...own, list: () => [] } : own, capabilities)
        closeOff(server, ticket.operations)
        return server
      } catch (cause) {
        core.report?.({ type: 'fault', transport: 'http', cause })
        throw cause
      }
    },
    { maxRequestBodySize: Number.MAX_SAFE_INTEGER, maxSubscriptions: subscriptions.max },
  )
  const answer = async (ticket: Admitted): Promise<Response> => {
    const { request, body, operations } = ticket
    // A batch, or a subscription, has no handler that could say so.
    const undeclared = operations.find((one) => one.undeclared !== undefined)
    if (undeclared !== undefined && (operations.length > 1 || isListening(undeclared))) {
      const code = undeclared.undeclared === 'method' ? rpcCodes.methodNotFound : rpcCodes.invalidParams
      return rpcError(400, code, 'Not found', { id: operations.length > 1 ? undefined : undeclared.id })
    }
    const authInfo = authInfoOf(ticket)
    const served: Served = { ticket, tools: undefined }
    admitted.set(authInfo, served)
    const response = await handler.fetch(request, { authInfo, parsedBody: body })
    return served.tools === undefined ? response : withTools(response, served.tools)
  }
  const listen = async (ticket: Admitted): Promise<Response> => {
    const { caller, signal, operations, refuse } = ticket
    const giveBack = subscriptions.take(caller.owner)
    if (giveBack === undefined) {
      refuse('too_many_subscriptions')
      return rpcError(429, rpcCodes.refused, 'Too many subscriptions are open', { id: operations[0]?.id })
    }
    let isOpen = false
    try {
      const response = await answer(ticket)
      isOpen = isStream(response) && !signal.aborted
      if (isOpen) signal.addEventListener('abort', giveBack, { once: true })
      return response
    } finally {
      if (!isOpen) giveBack()
    }
  }
  return {
    notify: handler.notify,
    close: handler.close,
    handle: (ticket: Admitted) => (ticket.operations.some(isListening) ? listen(ticket) : answer(ticket)),
  }
}

function isListening({ method }: Operation): boolean {
  return method === 'subscriptions/listen'
}

/** The SDK makes a JSON schema of the tool's own for each request, since it makes a server for each: it is known here. */
function rememberSchemas(server: McpServer, { operations }: Admitted, lists: Lists): void {
  const [entry] = operations.flatMap(({ entries }) => entries)
  if (operations.length !== 1 || entry?.kind !== 'tool') return
  const inputSchema = lists.definition(entry)?.inputSchema as Record<string, unknown> | undefined
  server.toolInputSchemaJson = (name) => (name === entry.name ? inputSchema : undefined)
}

interface Served {
  readonly ticket: Admitted
  /** The list as JSON, where it is put into the SDK's answer afterwards. */
  tools: string | undefined
}

function isToolList({ operations }: Admitted): boolean {
  return operations.length === 1 && operations[0]?.method === 'tools/list'
}

const noTools = '"tools":[]'

/** Writing a thousand tools out takes longer than everything else about the request, and is the same text each time. */
async function withTools(response: Response, tools: string): Promise<Response> {
  const text = await response.text()
  const at = text.indexOf(noTools)
  // An error has no list. What else might say so is not told apart.
  if (at < 0) return new Response(text, response)
  const isOnly = text.indexOf(noTools, at + 1) < 0
  const whole = isOnly
    ? `${text.slice(0, at)}"tools":${tools}${text.slice(at + noTools.length)}`
    : rewritten(text, tools)
  return new Response(whole, response)
}

function rewritten(text: string, tools: string): string {
  const answer = JSON.parse(text)
  return JSON.stringify({ ...answer, result: { ...answer.result, tools: JSON.parse(tools) } })
}
