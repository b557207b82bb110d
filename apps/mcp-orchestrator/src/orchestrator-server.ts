import type { Guard } from '@countersign/guard'
import { type Exchange, type GuardedMcp, guardMcp, type McpEvent, type ServerCall } from '@countersign/mcp/v2'
import { type CallToolResult, McpServer } from '@modelcontextprotocol/server'
import { z } from 'zod'
import type { Coder } from './coder/coder.ts'
import { type CoderScope, implies, type Scope } from './scopes.ts'
import { runTask } from './tasks/run-task.ts'
import { leastScope, scopeOf, taskInput, toOperation } from './tasks/steps.ts'
import { TaskFault, type Tasks } from './tasks/tasks.ts'

export interface OrchestratorServerOptions {
  readonly guard: Guard<Scope>
  readonly coder: Coder
  readonly tasks: Tasks
  /** For a coder elsewhere: the caller's token for one with that scope. */
  readonly exchange?: Readonly<Record<CoderScope, Exchange>>
  readonly onEvent?: (event: McpEvent) => void
  /** Told of what is nobody's fault but ours. */
  readonly onFault: (error: unknown) => void
}

/** The tool that runs steps which need no more than this; each has all the scopes of its operation. */
const runners = {
  'coder:read': { name: 'run_reading_task', scopes: ['tasks:run', 'coder:read'], title: 'Run a task that only reads' },
  'coder:write': { name: 'run_writing_task', scopes: ['tasks:run', 'coder:write'], title: 'Run a task that writes' },
  'coder:run': { name: 'run_task', scopes: ['tasks:run', 'coder:run'], title: 'Run a task with commands' },
} as const

const ofTask = z.strictObject({ task: z.uuid() })

/** The orchestrator's tools behind the guard, each with its scopes. */
export function createOrchestratorServer(options: OrchestratorServerOptions): GuardedMcp<Scope, CoderScope> {
  const { guard, coder, tasks, exchange, onEvent, onFault } = options
  const guarded = guardMcp<Scope, CoderScope>(() => new McpServer({ name: 'mcp-orchestrator', version: '1.0.0' }), {
    guard,
    implies,
    ...(exchange === undefined ? {} : { exchange }),
    ...(onEvent === undefined ? {} : { onEvent }),
  })
  const answering = async (work: () => unknown, call: { readonly signal: AbortSignal }): Promise<CallToolResult> => {
    try {
      return answer({ ...((await work()) as object) })
    } catch (error) {
      if (error instanceof TaskFault) return refusal(`${error.reason}: ${error.message}`)
      call.signal.throwIfAborted()
      onFault(error)
      return refusal('fault: This could not be done.')
    }
  }

  guarded
    .tool(
      'plan_task',
      {
        scopes: ['tasks:read'],
        title: 'Plan a task',
        description:
          'Says which tool runs these steps, what each is at the coder, and which scopes it takes. Runs nothing.',
        annotations: { readOnlyHint: true, openWorldHint: false },
        inputSchema: taskInput('coder:run'),
      },
      ({ steps }, { principal }) => {
        const needed = scopeOf(steps)
        const { name, scopes } = runners[needed]
        const missing = [
          ...(principal.scopes.has('tasks:run') ? [] : ['tasks:run']),
          ...(leastScope(principal.scopes, needed) === undefined ? [needed] : []),
        ]
        const operations = steps.map(toOperation).map(({ tool, scope }) => ({ tool, scope }))
        return answer({ tool: name, scopes, missing_scopes: missing, steps: operations })
      },
    )
    .tool(
      'task_status',
      {
        scopes: ['tasks:read'],
        title: 'See tasks',
        description: 'How your tasks stand, or one of them.',
        annotations: { readOnlyHint: true, openWorldHint: false },
        inputSchema: z.strictObject({ task: z.uuid().optional() }),
      },
      ({ task }, call) =>
        answering(
          () => ({ tasks: task === undefined ? tasks.list(call.principal) : [tasks.find(call.principal, task)] }),
          call,
        ),
    )
    .tool(
      'stop_task',
      {
        scopes: ['tasks:run'],
        title: 'Stop a task',
        description: 'Ends a task of yours, with the command that it runs.',
        annotations: { readOnlyHint: false, idempotentHint: true, openWorldHint: false },
        inputSchema: ofTask,
      },
      ({ task }, call) => answering(() => tasks.stop(call.principal, task), call),
    )
  for (const [most, { name, scopes, title }] of Object.entries(runners) as [
    CoderScope,
    (typeof runners)[CoderScope],
  ][]) {
    guarded.tool(
      name,
      {
        scopes,
        title,
        description:
          'Runs steps in your workspace at the coder, one after another, until one fails. Ends when you cancel or hang up.',
        annotations: { readOnlyHint: most === 'coder:read', openWorldHint: false },
        inputSchema: taskInput(most),
      },
      async ({ goal, steps }, call) =>
        answering(() => {
          const { principal, signal } = call
          const tokenFor = (...given: Parameters<typeof call.tokenFor>) => call.tokenFor(...given)
          return runTask({
            task: tasks.begin(principal, goal, steps),
            steps,
            coder,
            call: { principal, signal, tokenFor },
            onProgress: progressOf(call, steps.length),
          })
        }, call),
    )
  }
  return guarded
}

/** MCP's progress, where the caller asked for it: steps done, of all. */
function progressOf(
  { mcp: { mcpReq } }: ServerCall<readonly [Scope], CoderScope>,
  total: number,
): (done: number, message: string) => void {
  const progressToken = mcpReq._meta?.progressToken
  let last = 0
  return (done, message) => {
    if (progressToken === undefined) return
    // It has to grow, within a step as well.
    last = Math.max(done, last + 0.001)
    const params = { progressToken, progress: last, total, message }
    // Whoever asked may be gone.
    mcpReq.notify({ method: 'notifications/progress', params }).catch(() => undefined)
  }
}

function answer(structuredContent: Record<string, unknown>): CallToolResult {
  return { content: [{ type: 'text', text: JSON.stringify(structuredContent) }], structuredContent }
}

const refusal = (text: string): CallToolResult => ({ isError: true, content: [{ type: 'text', text }] })
