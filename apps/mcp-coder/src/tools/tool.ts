import type { ToolAnnotations } from '@modelcontextprotocol/server'
import type { z } from 'zod'
import type { Scope } from '../scopes.ts'
import type { Owner } from '../workspace/open-workspaces.ts'

/** Who calls, and until when. */
export interface ToolCall {
  readonly owner: Owner
  readonly signal: AbortSignal
  /** Told from time to time of what takes longer. */
  readonly onProgress?: (message: string) => void
}

export type Answer = Readonly<Record<string, unknown>>

/** One tool, whoever calls it: the MCP server, or an orchestrator in the same process. */
export interface CoderTool {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly scopes: readonly [Scope]
  readonly annotations: ToolAnnotations
  readonly inputSchema: z.ZodType
  /** @throws ZodError for other arguments, WorkspaceFault for what cannot be done */
  run(args: unknown, call: ToolCall): Promise<Answer>
}

export function defineTool<Input extends z.ZodType>(
  tool: Omit<CoderTool, 'inputSchema' | 'run'> & { readonly inputSchema: Input },
  run: (args: z.output<Input>, call: ToolCall) => Promise<Answer>,
): CoderTool {
  return { ...tool, run: (args, call) => run(tool.inputSchema.parse(args), call) }
}
