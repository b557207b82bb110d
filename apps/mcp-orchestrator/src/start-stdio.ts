import { createGuard, type Guard } from '@countersign/guard'
import type { StdioToken } from '@countersign/mcp/v2'
import { systemClock } from '@countersign/tokens'
import { type RunningStdio, reportCalls, type StdioStreams, serveStdio, stdioLogger } from '@countersign-apps/kit/mcp'
import { createRemoteCoder } from './coder/remote-coder.ts'
import { createCoderExchange } from './coder-exchange.ts'
import { createOrchestratorServer } from './orchestrator-server.ts'
import { consumer, type Scope } from './scopes.ts'
import type { OrchestratorOptions } from './start-orchestrator.ts'
import { createTasks } from './tasks/tasks.ts'

export interface StdioOrchestratorOptions extends OrchestratorOptions, StdioStreams {
  readonly token: StdioToken
}

/** Starts the orchestrator of a fleet for one client, over stdin and stdout. */
export function startStdioOrchestrator(options: StdioOrchestratorOptions): Promise<RunningStdio> {
  const { issuer, client, coder: url, revocations } = options
  const logger = stdioLogger(consumer.audience, options.logLevel)
  const guard: Guard<Scope> = createGuard({
    issuer,
    consumer,
    ...(revocations === 'off' ? { revocations: false } : {}),
  })
  const exchanges = createCoderExchange({ issuer, client })
  const tasks = createTasks(systemClock)
  const guarded = createOrchestratorServer({
    guard,
    coder: createRemoteCoder({ url }),
    tasks,
    exchange: exchanges.exchange,
    onEvent: reportCalls(logger),
    onFault: (error) => logger.error('a call could not be answered', { error }),
  })
  return serveStdio(guarded, options, [tasks, exchanges, guard])
}
