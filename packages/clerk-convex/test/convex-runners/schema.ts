import { defineSchema, defineTable } from 'convex/server'
import { v } from 'convex/values'
import { authTables, runnerTables } from '../../src/convex/index.ts'

export default defineSchema({
  ...authTables,
  ...runnerTables,
  jobs: defineTable({ orgId: v.string(), workspaceId: v.string(), state: v.string() }).index('by_workspace', [
    'orgId',
    'workspaceId',
  ]),
  notes: defineTable({ orgId: v.string(), text: v.string() }).index('by_org', ['orgId']),
})
