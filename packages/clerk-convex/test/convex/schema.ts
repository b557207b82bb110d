import { defineSchema, defineTable } from 'convex/server'
import { v } from 'convex/values'
import { authTables } from '../../src/convex/index.ts'

export default defineSchema({
  ...authTables,
  projects: defineTable({ orgId: v.string(), name: v.string(), budget: v.number() })
    .index('by_org', ['orgId'])
    .index('by_org_name', ['orgId', 'name'])
    .index('by_name', ['name']),
  runs: defineTable({ orgId: v.string(), workspaceId: v.string(), state: v.string() })
    .index('by_workspace', ['orgId', 'workspaceId'])
    .index('by_workspace_state', ['orgId', 'workspaceId', 'state'])
    .index('by_org', ['orgId']),
  drafts: defineTable({ owner: v.string(), text: v.string() }).index('by_owner', ['owner']),
  secrets: defineTable({ value: v.string() }),
})
