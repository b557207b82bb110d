import { consumers } from '@countersign-apps/token-service/consumers'

/** This service's entry in the fleet's matrix. */
export const consumer = consumers['mcp-orchestrator']

export type Scope = keyof typeof consumer.scopes

/** What brings along what; as at the coder, for the scopes of both. */
export const implies = {
  'tasks:run': ['tasks:read'],
  'coder:run': ['coder:write'],
  'coder:write': ['coder:read'],
} as const satisfies { readonly [S in Scope]?: readonly Scope[] }

/** Those that the coder knows, too. */
export type CoderScope = Extract<Scope, `coder:${string}`>
