import { randomUUID } from 'node:crypto'
import type { Guard } from '@countersign/guard'
import { systemClock } from '@countersign/tokens'
import { type ConsumerApp, createConsumerApp } from '@countersign-apps/kit'
import type { Agent } from './agents.ts'
import { type ChatSocketOptions, type ChatSockets, createChatSockets } from './chat-sockets.ts'
import { type Checkout, noCheckout } from './checkout.ts'
import type { Conversation } from './conversations.ts'
import { OwnedStore } from './owned-store.ts'
import { agentRoutes } from './routes/agents.ts'
import { chatRoutes } from './routes/chat.ts'
import { checkoutRoutes } from './routes/checkout.ts'
import type { Context, Shared } from './routes/context.ts'
import { conversationRoutes } from './routes/conversations.ts'
import { supportRoutes } from './routes/support.ts'
import { toolRoutes } from './routes/tools.ts'
import { usageRoutes } from './routes/usage.ts'
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

export interface AgentApi extends ConsumerApp<Scope> {
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
  const shared: Shared = {
    agents: new OwnedStore<Agent>({ perOwner: 20, total: 1000 }),
    conversations: new OwnedStore<Conversation>({ perOwner: 20, total: 1000 }),
    usage,
    checkout,
    support,
    clock,
    newId,
  }
  const settings = { guard, realm: 'agent-api', ...(onFault === undefined ? {} : { onFault }) }
  const api = createConsumerApp<Scope>(settings, (declared) => {
    const context: Context = { ...shared, ...declared }
    agentRoutes(context)
    chatRoutes(context)
    conversationRoutes(context)
    toolRoutes(context)
    usageRoutes(context)
    checkoutRoutes(context)
    supportRoutes(context)
  })
  return { ...api, sockets: createChatSockets(guard, shared, options.chat) }
}
