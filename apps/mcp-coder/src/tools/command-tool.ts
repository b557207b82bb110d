import { z } from 'zod'
import type { Commands } from '../sandbox/commands.ts'
import type { Workspaces } from '../workspace/open-workspaces.ts'
import { type CoderTool, defineTool } from './tool.ts'

const progressEveryMs = 1_000

const argv = z
  .array(
    z
      .string()
      .max(4_096)
      .regex(/^[^\0]*$/, 'expected text without NUL'),
  )
  .min(1, 'expected a command and its arguments')
  .max(64)
  .refine((words) => words.join('').length <= 16_384, 'expected at most 16,384 characters')

/** The tool that runs commands. It exists only where a sandbox does. */
export function commandTool({ within, limits: { totalBytes, entries } }: Workspaces, commands: Commands): CoderTool {
  const { names, limits } = commands
  return defineTool(
    {
      name: 'run_command',
      title: 'Run a command',
      description: `Runs one command, without a shell, in a sandbox that has the workspace (as /workspace) and a read-only system, and no network. At most ${limits.timeMs / 1_000} s and ${limits.outputBytes} bytes of output. Commands: ${names.join(', ')}.`,
      scopes: ['coder:run'],
      annotations: { readOnlyHint: false, destructiveHint: true, openWorldHint: false },
      inputSchema: z.strictObject({ argv: argv.describe('The command and its arguments, such as ["ls", "-l"].') }),
    },
    ({ argv }, { owner, signal, onProgress }) =>
      within(owner, async (workspace) => {
        const startedAt = performance.now()
        const progress = setInterval(
          () => onProgress?.(`running for ${Math.round((performance.now() - startedAt) / 1_000)} s`),
          progressEveryMs,
        )
        try {
          const result = await commands.run({
            argv,
            folder: workspace.fd,
            subject: JSON.stringify([owner.issuer, owner.subject]),
            signal,
            isFull: async () => {
              const usage = await workspace.usage()
              return usage.bytes > totalBytes || usage.entries > entries
            },
            onStart: () => onProgress?.('started'),
          })
          const { reason, exitCode, stdout, stderr, ms } = result
          return { reason, exit_code: exitCode, stdout, stderr, ms: Math.round(ms) }
        } finally {
          clearInterval(progress)
        }
      }),
  )
}
