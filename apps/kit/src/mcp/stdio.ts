import { readFile } from 'node:fs/promises'
import type { GuardedStdio, StdioEnd, StdioOptions, StdioToken } from '@countersign/mcp'
import { createLogger, type Logger, type LogLevel } from '@countersign/observability'
import { z } from 'zod'
import { ConfigError, environmentParts } from '../environment.ts'

export interface RunningStdio {
  /** When the client hangs up, or the token has ended. */
  readonly ended: Promise<StdioEnd>
  close(): Promise<void>
}

export interface StdioStreams extends StdioOptions {
  readonly token: StdioToken
}

/**
 * Serves one guarded server on stdin and stdout, for whom the token speaks for; nothing stays open if it is refused.
 * @param parts ended with it, in this order
 */
export async function serveStdio(
  guarded: { stdio(options: StdioOptions): Promise<GuardedStdio> },
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

/** Stdout is the client's. */
export function stdioLogger(service: string, level: LogLevel = 'info'): Logger {
  return createLogger({ level, base: { service }, destination: process.stderr })
}

/** Where the token comes from on stdio. */
export const stdioEnvironment = {
  MCP_TOKEN: z.string().max(16_384).optional(),
  MCP_TOKEN_FILE: environmentParts.text.optional(),
}

/**
 * The token of the one client; a file is read whenever it is asked for, so that somebody can keep it fresh.
 * @throws ConfigError unless there is one, where one is needed
 */
export function toStdioToken(
  { MCP_TOKEN, MCP_TOKEN_FILE: file }: z.output<z.ZodObject<typeof stdioEnvironment>>,
  stdio: boolean,
): StdioToken | undefined {
  if (!stdio) return undefined
  if (file !== undefined) return async () => (await readFile(file, 'utf8')).trim()
  if (MCP_TOKEN === undefined) throw new ConfigError(['MCP_TOKEN: expected on stdio, or MCP_TOKEN_FILE'])
  return MCP_TOKEN
}
