import type { AuthInfo } from '@modelcontextprotocol/sdk/server/auth/types.js'
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js'
import { isInitializeRequest } from '@modelcontextprotocol/sdk/types.js'
import { authInfoOf, type Ticket } from '../core/caller.ts'
import type { Core } from '../core/core.ts'
import { filterLists, register } from '../core/register.ts'
import type { Entry } from '../core/registry.ts'
import { rpcCodes, rpcError } from '../http/answers.ts'
import { createBrowserRules } from '../http/browser-rules.ts'
import { createEndpoint } from '../http/endpoint.ts'
import { facesOf } from '../http/faces.ts'
import { endingWith } from '../http/fetch-face.ts'
import type { Admitted, Backend } from '../http/serving.ts'
import { checkHttpOptions } from '../http/settings.ts'
import type { GuardedHttp } from '../options.ts'
import { type Extra, fittingOf } from './fit.ts'
import { type Factory, type Prepared, prepare } from './prepare.ts'
import { type Session, Sessions } from './sessions.ts'
import type { HttpOptionsV1, SessionOptions } from './types.ts'

type Transport = WebStandardStreamableHTTPServerTransport

export async function serveHttp(core: Core, factory: Factory, options: HttpOptionsV1): Promise<GuardedHttp> {
  const { guard, door, registry, report } = core
  const { sessions = {} } = options
  const settings = checkHttpOptions(guard, options)
  const browser = createBrowserRules(settings.resource, options.hosts, options.origins)
  const serving = createServing(core, factory)
  const backend = sessions === false ? withoutSessions(serving, core) : withSessions(serving, core, sessions)
  registry.seal()
  serving.prepared = await prepare(core, factory)
  const { catalogue } = registry
  return facesOf(createEndpoint({ guard, door, registry, backend, browser, catalogue, settings, report }), catalogue)
}

/** Servers that know whom each message comes from. */
interface Serving {
  prepared: Prepared | undefined
  make(entries: readonly Entry[]): McpServer
  handle(transport: Transport, admitted: Admitted, ticket: Ticket): Promise<Response>
}

function createServing(core: Core, factory: Factory): Serving {
  /** By the very object that goes through the SDK: nothing in it can be made up by a caller. */
  const tickets = new WeakMap<AuthInfo, Ticket>()
  const ticketOf = ({ authInfo }: Extra): Ticket => {
    const ticket = authInfo && tickets.get(authInfo)
    if (ticket === undefined) throw new Error('A message came past the door.')
    return ticket
  }
  return {
    prepared: undefined,
    make(entries) {
      if (this.prepared === undefined) throw new Error('The server is not prepared.')
      const { capabilities, lists } = this.prepared
      const server = factory()
      const fitting = fittingOf(core, server, ticketOf)
      register(fitting, entries)
      server.server.registerCapabilities(capabilities)
      filterLists(fitting, lists, capabilities)
      delete server.server.fallbackRequestHandler
      return server
    },
    handle(transport, admitted, ticket) {
      const authInfo = authInfoOf(admitted)
      tickets.set(authInfo, ticket)
      return transport.handleRequest(admitted.request, { authInfo, parsedBody: admitted.body })
    },
  }
}

/** An answer that needs no server: what nobody declared is not there. */
function undeclaredAnswer({ operations }: Admitted): Response | undefined {
  const found = operations.find(({ undeclared }) => undeclared !== undefined)
  if (found === undefined) return undefined
  const isMethod = found.undeclared === 'method'
  const isBatch = operations.length > 1
  const code = isMethod ? rpcCodes.methodNotFound : rpcCodes.invalidParams
  return rpcError(isBatch ? 400 : 200, code, isMethod ? 'Method not found' : 'Not found', {
    id: isBatch ? undefined : found.id,
  })
}

function withoutSessions(serving: Serving, { report }: Core): Backend {
  const open = new Set<McpServer>()
  return {
    methods: ['POST'],
    async handle(admitted) {
      const undeclared = undeclaredAnswer(admitted)
      if (undeclared !== undefined) return undeclared
      const entries = new Set(admitted.operations.flatMap((operation) => operation.entries))
      const server = serving.make([...entries])
      const transport = new WebStandardStreamableHTTPServerTransport()
      open.add(server)
      const over = (): void => {
        open.delete(server)
        server.close().catch((cause: unknown) => report?.({ type: 'fault', transport: 'http', cause }))
      }
      await server.connect(transport as never)
      return endingWith(await serving.handle(transport, admitted, admitted), admitted.signal, over)
    },
    async close() {
      await Promise.all([...open].map((server) => server.close()))
    },
  }
}

interface Served {
  readonly server: McpServer
  readonly transport: Transport
}

function withSessions(serving: Serving, core: Core, options: SessionOptions): Backend {
  const sessions = new Sessions<Served>(options, ({ server }) => {
    server.close().catch((cause: unknown) => core.report?.({ type: 'fault', transport: 'http', cause }))
  })

  const open = async (admitted: Admitted): Promise<Response> => {
    const { body, caller } = admitted
    if (!isInitializeRequest(body)) {
      admitted.refuse('session_unknown')
      return rpcError(400, rpcCodes.refused, 'Mcp-Session-Id is needed')
    }
    const server = serving.make(core.registry.declared)
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => crypto.randomUUID(),
      onsessioninitialized: (id) => void sessions.add(id, caller.owner, { server, transport }),
      onsessionclosed: (id) => sessions.drop(id),
    })
    await server.connect(transport as never)
    const response = await serving.handle(transport, admitted, admitted)
    if (transport.sessionId === undefined) await server.close()
    return response
  }

  const go = async (session: Session<Served>, admitted: Admitted): Promise<Response> => {
    sessions.use(session)
    const undeclared = undeclaredAnswer(admitted)
    if (undeclared !== undefined) return undeclared
    // Who has a session may lose a connection and come back: that cancels nothing (2025-11-25, Transports).
    const { caller, traceId, tokenEnded: signal, whileRunning } = admitted
    const ticket = { caller, traceId, signal, whileRunning }
    const response = await serving.handle(session.server.transport, admitted, ticket)
    if (admitted.request.method === 'GET' && response.ok) {
      session.streams += 1
      admitted.signal.addEventListener('abort', () => {
        session.streams -= 1
        sessions.use(session)
      })
    }
    return response
  }

  return {
    methods: ['GET', 'POST', 'DELETE'],
    async handle(admitted) {
      const id = admitted.header('mcp-session-id')
      if (id === undefined) return open(admitted)
      const session = sessions.find(id)
      if (session !== undefined && session.owner === admitted.caller.owner) return go(session, admitted)
      // Somebody else's session looks like none.
      admitted.refuse(session === undefined ? 'session_unknown' : 'session_of_another')
      return rpcError(404, -32_001, 'Session not found')
    },
    async close() {
      sessions.clear()
    },
  }
}
