import type { Guard } from '@countersign/guard'
import { type GuardedMcp, guardMcp, type McpEvent } from '@countersign/mcp/v2'
import { type CallToolResult, McpServer } from '@modelcontextprotocol/server'
import { implies, type Scope } from './scopes.ts'
import type { CoderTool, ToolCall } from './tools/tool.ts'
import { WorkspaceFault } from './workspace/fault.ts'

export interface CoderServerOptions {
  readonly guard: Guard<Scope>
  readonly tools: readonly CoderTool[]
  readonly onEvent?: (event: McpEvent) => void
  /** Told of what is nobody's fault but ours. */
  readonly onFault: (error: unknown) => void
}

/** The coder's tools behind the guard, each with its scope. */
export function createCoderServer({ guard, tools, onEvent, onFault }: CoderServerOptions): GuardedMcp<Scope> {
  const guarded = guardMcp<Scope>(() => new McpServer({ name: 'mcp-coder', version: '1.0.0' }), {
    guard,
    implies,
    ...(onEvent === undefined ? {} : { onEvent }),
  })
  for (const tool of tools) {
    const { name, title, description, scopes, annotations, inputSchema } = tool
    guarded.tool(
      name,
      { scopes, title, description, annotations, inputSchema },
      async (args, { principal, signal, mcp }) => {
        const { issuer, subject } = principal
        const token = mcp.mcpReq._meta?.progressToken
        let steps = 0
        const onProgress = (message: string): void => {
          if (token === undefined) return
          steps += 1
          const params = { progressToken: token, progress: steps, message }
          // Whoever asked may be gone.
          mcp.mcpReq.notify({ method: 'notifications/progress', params }).catch(() => undefined)
        }
        return answer(tool, args, { owner: { issuer, subject }, signal, onProgress }, onFault)
      },
    )
  }
  return guarded
}

async function answer(
  tool: CoderTool,
  args: unknown,
  call: ToolCall,
  onFault: (error: unknown) => void,
): Promise<CallToolResult> {
  try {
    const structuredContent = { ...(await tool.run(args, call)) }
    return { content: [{ type: 'text', text: JSON.stringify(structuredContent) }], structuredContent }
  } catch (error) {
    if (error instanceof WorkspaceFault) return refusal(`${error.reason}: ${error.message}`)
    call.signal.throwIfAborted()
    // Its message may name folders of this machine.
    onFault(error)
    return refusal('fault: This could not be done.')
  }
}

const refusal = (text: string): CallToolResult => ({ isError: true, content: [{ type: 'text', text }] })
