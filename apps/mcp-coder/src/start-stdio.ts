import { readFile } from 'node:fs/promises'
import { createGuard, type Guard } from '@countersign/guard'
import type { GuardedMcp, GuardedStdio, StdioEnd, StdioToken } from '@countersign/mcp/v2'
import { createLogger, type Logger, type LogLevel } from '@countersign/observability'
import { createCoderServer } from './coder-server.ts'
import { reportCalls } from './report-calls.ts'
import { consumer, type Scope } from './scopes.ts'
import { openTools, type ToolsOptions } from './tools/open-tools.ts'

export interface RunningStdio {
  /** When the client hangs up, or the token has ended. */
  readonly ended: Promise<StdioEnd>
  close(): Promise<void>
}

export interface StdioStreams {
  readonly token: StdioToken
  /** @default the process's own */
  readonly input?: NodeJS.ReadableStream
  readonly output?: NodeJS.WritableStream
}

/** Serves one guarded server on stdin and stdout, for whom the token speaks for; nothing stays open if it is refused. */
export async function serveStdio(
  guarded: Pick<GuardedMcp, 'stdio'>,
  streams: StdioStreams,
  parts: readonly { close(): unknown }[],
): Promise<RunningStdio> {
  const closeParts = async (): Promise<void> => {
    for (const part of parts) await part.close()
  }
  let stdio: GuardedStdio
  try {
    stdio = await guarded.stdio(streams)
  } catch (error) {
    await closeParts()
    throw error
  }
  const close = async (): Promise<void> => {
    await stdio.close()
    await closeParts()
  }
  return { ended: stdio.ended, close }
}

/** A token from a file that others keep fresh: read whenever it is asked for. */
export function tokenFromFile(path: string): () => Promise<string> {
  return async () => (await readFile(path, 'utf8')).trim()
}

/** Stdout is the client's. */
export function stdioLogger(service: string, level: LogLevel = 'info'): Logger {
  return createLogger({ level, base: { service }, destination: process.stderr })
}

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
