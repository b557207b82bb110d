import { createGuard, type Guard } from '@countersign/guard'
import type { LogLevel } from '@countersign/observability'
import { type RunningStdio, reportCalls, type StdioStreams, serveStdio, stdioLogger } from '@countersign-apps/kit/mcp'
import { createCoderServer } from './coder-server.ts'
import { consumer, type Scope } from './scopes.ts'
import { openTools, type ToolsOptions } from './tools/open-tools.ts'

export interface StdioCoderOptions extends ToolsOptions, StdioStreams {
  readonly issuer: string
  readonly revocations?: 'follow' | 'off'
  readonly logLevel?: LogLevel
}

/** Starts the coder for one client, over stdin and stdout. */
export async function startStdioCoder(options: StdioCoderOptions): Promise<RunningStdio> {
  const { issuer, revocations } = options
  const logger = stdioLogger(consumer.audience, options.logLevel)
  const opened = await openTools(options)
  if (opened.noCommands !== undefined) logger.warn('there is no command tool', { reason: opened.noCommands })
  const guard: Guard<Scope> = createGuard({
    issuer,
    consumer,
    ...(revocations === 'off' ? { revocations: false } : {}),
  })
  const onFault = (error: unknown): void => logger.error('a call could not be answered', { error })
  const guarded = createCoderServer({ guard, tools: opened.tools, onEvent: reportCalls(logger), onFault })
  return serveStdio(guarded, options, [opened, guard])
}
