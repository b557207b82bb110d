import type { StdioToken } from '@countersign/mcp/v2'
import { consumerEnvironment, environmentParts, readEnvironment, toStartOptions } from '@countersign-apps/kit'
import { stdioEnvironment, toStdioToken } from '@countersign-apps/kit/mcp'
import { z } from 'zod'
import { usualCommands } from './sandbox/commands.ts'
import { commandLimits } from './sandbox/limits.ts'
import type { CoderOptions } from './start-coder.ts'
import type { ToolsOptions } from './tools/open-tools.ts'
import { workspaceLimits } from './workspace/limits.ts'

const { text } = environmentParts

const whole = (least: number, most: number) =>
  z
    .string()
    .regex(/^\d{1,12}$/, 'expected a whole number')
    .transform(Number)
    .refine((value) => value >= least && value <= most, `expected ${least} to ${most}`)

const names = z
  .string()
  .regex(/^[A-Za-z0-9][\w.+-]*(?:,[A-Za-z0-9][\w.+-]*)*$/, 'expected names of commands, separated by commas')
  .transform((value) => value.split(','))

const megabyte = 1_048_576

/** What the tools are opened with. */
export const toolsEnvironment = {
  CODER_WORKSPACES: text.default('.mcp-coder'),
  CODER_WORKSPACE_MB: whole(1, 65_536).default(workspaceLimits.totalBytes / megabyte),
  CODER_WORKSPACE_COUNT: whole(1, 10_000).default(workspaceLimits.workspaces),
  CODER_COMMANDS: z.union([z.literal('off'), names]).default([...usualCommands]),
  CODER_COMMAND_SECONDS: whole(1, 3_600).default(commandLimits.timeMs / 1_000),
  CODER_COMMAND_MB: whole(16, 65_536).default(commandLimits.memoryBytes / megabyte),
  CODER_COMMAND_PROCESSES: whole(1, 4_096).default(commandLimits.processes),
}

export function toToolsOptions(read: z.output<z.ZodObject<typeof toolsEnvironment>>): ToolsOptions {
  const { CODER_COMMANDS: allowed } = read
  const limits = {
    timeMs: read.CODER_COMMAND_SECONDS * 1_000,
    memoryBytes: read.CODER_COMMAND_MB * megabyte,
    processes: read.CODER_COMMAND_PROCESSES,
  }
  return {
    workspaces: read.CODER_WORKSPACES,
    limits: { totalBytes: read.CODER_WORKSPACE_MB * megabyte, workspaces: read.CODER_WORKSPACE_COUNT },
    commands: allowed === 'off' ? 'off' : { allowed, limits },
  }
}

type Variables = Readonly<Record<string, string | undefined>>

/** @throws ConfigError that names each variable and what was expected */
export function readConfig(
  variables: Variables,
  { stdio = false }: { readonly stdio?: boolean } = {},
): CoderOptions & { readonly token: StdioToken | undefined } {
  const shape = { ...consumerEnvironment, ...toolsEnvironment, ...stdioEnvironment }
  const read = readEnvironment(shape, variables)
  return { ...toStartOptions(read), ...toToolsOptions(read), token: toStdioToken(read, stdio) }
}
