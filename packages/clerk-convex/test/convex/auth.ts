import { type AuthEvent, defineAuth } from '../../src/convex/index.ts'
import schema from './schema.ts'

export const issuer = process.env.TEST_CLERK_ISSUER ?? 'https://clerk.test'
/** What the functions told beside the audit table. */
export const told: AuthEvent[] = []

export const auth = defineAuth({
  schema,
  tenants: {
    projects: { index: 'by_org', field: 'orgId' },
    runs: { index: 'by_workspace', field: 'orgId', workspace: 'workspaceId' },
    drafts: { index: 'by_owner', field: 'owner', owner: 'user' },
  },
  roles: { admin: ['project:write', 'run:stop', 'run:start'], member: ['run:start'] },
  identities: { clerkIssuer: issuer },
  onEvent: (event) => told.push(event),
})

export const { gate, receiveWebhook, whoAmI } = auth.functions
