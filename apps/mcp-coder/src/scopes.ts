import { consumers } from '@countersign-apps/token-service/consumers'

/** This service's entry in the fleet's matrix. */
export const consumer = consumers['mcp-coder']

export type Scope = keyof typeof consumer.scopes

/** What brings along what: a command writes, and who writes may see what is there. */
export const implies = {
  'coder:run': ['coder:write'],
  'coder:write': ['coder:read'],
} as const satisfies { readonly [S in Scope]?: readonly Scope[] }
