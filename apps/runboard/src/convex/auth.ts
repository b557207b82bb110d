import { defineAuth } from '@countersign/clerk-convex/convex'
import { environment } from '../environment.ts'
import schema from './schema.ts'

const inWorkspace = { index: 'by_workspace', field: 'orgId', workspace: 'workspaceId' } as const

/** Whose the rows of each table are; what is not here is out of reach of `ctx.db`. */
export const tenants = {
  workspaces: { index: 'by_org', field: 'orgId' },
  projects: inWorkspace,
  repositories: inWorkspace,
  runs: inWorkspace,
  approvals: inWorkspace,
  lines: { ...inWorkspace, index: 'by_run' },
} as const

/** Every function of this app is made with it. */
export const auth = defineAuth({
  schema,
  tenants,
  roles: {
    admin: [
      ...(['run:start', 'run:execute', 'run:stop', 'run:approve', 'repository:write'] as const),
      ...(['workspace:write', 'runner:write', 'audit:read'] as const),
    ],
    member: ['run:start', 'run:execute'],
  },
  identities: { clerkIssuer: environment.clerkIssuer },
})

export const { gate, receiveWebhook, whoAmI, sweep } = auth.functions
