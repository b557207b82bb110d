import { authTables, runnerTables } from '@countersign/clerk-convex/convex'
import { defineSchema, defineTable } from 'convex/server'
import { v } from 'convex/values'

/** Whose a row is; `defineAuth` writes and reads it. */
const inOrganization = { orgId: v.string() }
const inWorkspace = { ...inOrganization, workspaceId: v.string() }

export const runState = v.union(
  v.literal('waiting'),
  v.literal('queued'),
  v.literal('running'),
  v.literal('succeeded'),
  v.literal('failed'),
  v.literal('stopped'),
  v.literal('rejected'),
)

export default defineSchema({
  ...authTables,
  ...runnerTables,
  /** All workspaces of an organisation, without their names: those are of `projects`. */
  workspaces: defineTable({ ...inOrganization, project: v.id('projects') }).index('by_org', ['orgId']),
  /** What a workspace is for, told to those who see it. */
  projects: defineTable({ ...inWorkspace, name: v.string(), isPrivate: v.boolean() }).index('by_workspace', [
    'orgId',
    'workspaceId',
  ]),
  repositories: defineTable({
    ...inWorkspace,
    name: v.string(),
    /** Whether a run in it waits for an approval. */
    isProtected: v.boolean(),
    lastRunAt: v.optional(v.number()),
  })
    .index('by_workspace', ['orgId', 'workspaceId'])
    .index('by_name', ['orgId', 'workspaceId', 'name']),
  runs: defineTable({
    ...inWorkspace,
    repository: v.string(),
    task: v.string(),
    state: runState,
    startedBy: v.string(),
    /** The id of the runner that has taken it. */
    runner: v.optional(v.string()),
    /** Lines that it has printed so far. */
    printed: v.optional(v.number()),
    endedAt: v.optional(v.number()),
  })
    .index('by_workspace', ['orgId', 'workspaceId'])
    .index('by_state', ['orgId', 'workspaceId', 'state']),
  approvals: defineTable({
    ...inWorkspace,
    run: v.id('runs'),
    state: v.union(v.literal('pending'), v.literal('approved'), v.literal('rejected')),
    decidedBy: v.optional(v.string()),
  })
    .index('by_workspace', ['orgId', 'workspaceId'])
    .index('by_run', ['orgId', 'workspaceId', 'run']),
  /** What runs print. */
  lines: defineTable({ ...inWorkspace, run: v.id('runs'), text: v.string() }).index('by_run', [
    'orgId',
    'workspaceId',
    'run',
  ]),
})
