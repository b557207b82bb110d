import { randomUUID } from 'node:crypto'
import { type DeclaredRoute, expressAuth } from '@countersign/express'
import type { Guard } from '@countersign/guard'
import { systemClock } from '@countersign/tokens'
import express, { type ErrorRequestHandler, type Express } from 'express'
import type { Agent } from './agents.ts'
import { type ChatSocketOptions, type ChatSockets, createChatSockets } from './chat-sockets.ts'
import { type Checkout, noCheckout } from './checkout.ts'
import type { Conversation } from './conversations.ts'
import { toProblem } from './json-body.ts'
import { OwnedStore } from './owned-store.ts'
import { Problem } from './problem.ts'
import { agentRoutes } from './routes/agents.ts'
import { chatRoutes } from './routes/chat.ts'
import { checkoutRoutes } from './routes/checkout.ts'
import type { Context } from './routes/context.ts'
import { conversationRoutes } from './routes/conversations.ts'
import { supportRoutes } from './routes/support.ts'
import { toolRoutes } from './routes/tools.ts'
import { usageRoutes } from './routes/usage.ts'
import { whoamiRoutes } from './routes/whoami.ts'
import type { Scope } from './scopes.ts'
import { noSupport, type Support } from './support.ts'
import { UsageLog } from './usage-log.ts'

export interface AgentApiOptions {
  readonly guard: Guard<Scope>
  readonly clock?: { now(): number }
  /** @default random UUIDs */
  readonly newId?: () => string
  /** Told of what was answered with 500. */
  readonly onFault?: (error: unknown) => void
  readonly chat?: ChatSocketOptions
  /** @default nothing can be bought */
  readonly checkout?: Checkout
  /** @default nobody can be asked for help */
  readonly support?: Support
  /** @default one of 100,000 entries */
  readonly usage?: UsageLog
}

export interface AgentApi {
  readonly app: Express
  /** Every route, and who may call it. */
  readonly routes: readonly DeclaredRoute<Scope>[]
  /** Streams chat; to be mounted at `/chat` of the server. */
  readonly sockets: ChatSockets
}

/** The agent API as an Express app; agents and conversations are in its memory and go with it. */
export function createAgentApi(options: AgentApiOptions): AgentApi {
  const {
    guard,
    clock = systemClock,
    newId = randomUUID,
    onFault,
    checkout = noCheckout,
    support = noSupport,
    usage = new UsageLog(100_000),
  } = options
  const auth = expressAuth(guard, { realm: 'agent-api' })
  const context: Context = {
    auth,
    router: auth.router(),
    agents: new OwnedStore<Agent>({ perOwner: 20, total: 1000 }),
    conversations: new OwnedStore<Conversation>({ perOwner: 20, total: 1000 }),
    usage,
    checkout,
    support,
    clock,
    newId,
  }
  context.router.get('/healthz', 'public', (_req, res) => {
    res.json({ status: 'ok' })
  })
  whoamiRoutes(context)
  agentRoutes(context)
  chatRoutes(context)
  conversationRoutes(context)
  toolRoutes(context)
  usageRoutes(context)
  checkoutRoutes(context)
  supportRoutes(context)

  const app = express()
  app.disable('x-powered-by').disable('etag').set('query parser', 'simple')
  app.use(auth.metadata())
  app.use((_req, res, next) => {
    res.set({ 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' })
    next()
  })
  app.use(context.router)
  app.use(() => {
    throw new Problem('not_found', 'There is no such path.')
  })
  app.use(toProblem)
  app.use(answerErrors(onFault))
  return { app, routes: context.router.routes, sockets: createChatSockets(guard, context, options.chat) }
}

function answerErrors(onFault: AgentApiOptions['onFault']): ErrorRequestHandler {
  return (error, _req, res, _next) => {
    const known = error instanceof Problem
    if (!known) onFault?.(error)
    if (res.headersSent) {
      res.destroy()
      return
    }
    const body = known
      ? { error: error.code, error_description: error.message }
      : { error: 'server_error', error_description: 'The request could not be answered.' }
    res.status(known ? error.status : 500).json(body)
  }
}
