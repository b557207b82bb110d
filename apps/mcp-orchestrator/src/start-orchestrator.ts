import type { ClientOptions } from '@countersign/token-source'
import { systemClock } from '@countersign/tokens'
import { type ConsumerStartOptions, type RunningConsumer, startConsumer } from '@countersign-apps/kit'
import { mcpRoutes, reportCalls, resourceOf } from '@countersign-apps/kit/mcp'
import { createRemoteCoder } from './coder/remote-coder.ts'
import { createCoderExchange } from './coder-exchange.ts'
import { createOrchestratorServer } from './orchestrator-server.ts'
import { consumer } from './scopes.ts'
import { createTasks } from './tasks/tasks.ts'

export interface OrchestratorOptions extends ConsumerStartOptions {
  /** The coder's endpoint. */
  readonly coder: string
  /** The orchestrator's own account, as which it exchanges its callers' tokens. */
  readonly client: ClientOptions
}

/** Starts the orchestrator in a fleet, over HTTP; its usual port is 4615, its endpoint `/mcp`. */
export function startOrchestrator(options: OrchestratorOptions): Promise<RunningConsumer> {
  const { issuer, client, coder: url } = options
  return startConsumer(options, {
    consumer,
    usualPort: 4615,
    surfaces: ['mcp'],
    async make({ guard, logger, url: listensAt, onFault, onClose, beforeClose }) {
      const exchanges = createCoderExchange({ issuer, client })
      onClose(exchanges)
      const tasks = createTasks(systemClock)
      const guarded = createOrchestratorServer({
        guard,
        coder: createRemoteCoder({ url }),
        tasks,
        exchange: exchanges.exchange,
        onEvent: reportCalls(logger),
        onFault,
      })
      const realm = consumer.audience
      const resource = resourceOf(guard, listensAt)
      const http = await guarded.http({ resource, baselineScopes: ['tasks:read'], realm })
      beforeClose(http)
      beforeClose(tasks)
      return mcpRoutes({ guard, realm, mcp: http.node, onFault })
    },
  })
}
