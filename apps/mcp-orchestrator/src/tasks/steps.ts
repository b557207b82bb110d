import { z } from 'zod'
import type { CoderScope } from '../scopes.ts'

export const mostSteps = 20

const path = z.string().min(1).max(1_024)
const folder = path.default('.')

/** What a task may consist of. The coder checks paths and arguments for itself. */
const step = z.discriminatedUnion('do', [
  z.strictObject({
    do: z.literal('read'),
    path,
    from_line: z.int().min(1).optional(),
    lines: z.int().min(1).optional(),
  }),
  z.strictObject({ do: z.literal('list'), path: folder, depth: z.int().min(1).max(16).default(1) }),
  z.strictObject({
    do: z.literal('search'),
    query: z.string().min(1).max(256),
    path: folder,
    ignore_case: z.boolean().default(false),
  }),
  z.strictObject({ do: z.literal('write'), path, text: z.string().max(1_048_576) }),
  z.strictObject({ do: z.literal('remove'), path }),
  z.strictObject({ do: z.literal('run'), argv: z.array(z.string().max(4_096)).min(1).max(64) }),
])

export type Step = z.output<typeof step>

/** Each step is one tool of the coder's, and needs one scope there. */
const operations = {
  read: { tool: 'read_file', scope: 'coder:read' },
  list: { tool: 'list_files', scope: 'coder:read' },
  search: { tool: 'search', scope: 'coder:read' },
  write: { tool: 'write_file', scope: 'coder:write' },
  remove: { tool: 'remove_file', scope: 'coder:write' },
  run: { tool: 'run_command', scope: 'coder:run' },
} as const satisfies Record<Step['do'], { readonly tool: string; readonly scope: CoderScope }>

export interface Operation {
  readonly tool: string
  readonly scope: CoderScope
  readonly args: Readonly<Record<string, unknown>>
}

/** What the coder is asked for. */
export function toOperation({ do: kind, ...args }: Step): Operation {
  return { ...operations[kind], args }
}

/** From the least to the most; each brings along those before it. */
export const coderScopes = ['coder:read', 'coder:write', 'coder:run'] as const satisfies readonly CoderScope[]

/** The most that any of the steps needs. */
export function scopeOf(steps: readonly Step[]): CoderScope {
  const needed = new Set<CoderScope>(steps.map(({ do: kind }) => operations[kind].scope))
  return coderScopes.findLast((scope) => needed.has(scope)) ?? 'coder:read'
}

/** The least of the held scopes that is enough; undefined where none is. */
export function leastScope(held: ReadonlySet<string>, needed: CoderScope): CoderScope | undefined {
  return coderScopes.slice(coderScopes.indexOf(needed)).find((scope) => held.has(scope))
}

/** A task's input, for steps that need no more than a scope. */
export function taskInput(most: CoderScope) {
  return z.strictObject({
    goal: z.string().min(1).max(500).describe('What the task is for, in your own words.'),
    steps: z
      .array(step)
      .min(1)
      .max(mostSteps)
      .describe('In order; the first that fails ends the task.')
      .refine(
        (steps) => coderScopes.indexOf(scopeOf(steps)) <= coderScopes.indexOf(most),
        `expected steps that need no more than ${most}: plan_task says which tool runs the others`,
      ),
  })
}
