import { v } from 'convex/values'
import { auth } from './auth.ts'

/** The workspaces that the caller sees: of a hidden one not even the name comes back. */
export const list = auth.orgQuery({
  args: {},
  handler: async (ctx) => {
    const rows = await ctx.db.query('workspaces').collect()
    const projects = await Promise.all(rows.map(({ project }) => ctx.db.get(project)))
    return projects.flatMap((one) =>
      one === null ? [] : [{ workspaceId: one.workspaceId, name: one.name, isPrivate: one.isPrivate }],
    )
  },
})

/** Whoever makes a private one is its first member. */
export const create = auth.orgMutation({
  args: { name: v.string(), isPrivate: v.boolean() },
  permission: 'workspace:write',
  audit: 'workspace.create',
  handler: async (ctx, { name, isPrivate }) => {
    const { organization, user } = ctx.principal
    const workspace = `ws_${crypto.randomUUID()}`
    const db = await ctx.unsafeDb('writes down who sees a new workspace')
    const visibility = isPrivate ? 'private' : 'organization'
    await db.insert('authWorkspaces', { organization, workspace, visibility })
    if (user !== undefined) await db.insert('authWorkspaceMembers', { organization, workspace, user })
    const project = await ctx.db.insert('projects', { workspaceId: workspace, name: name.slice(0, 80), isPrivate })
    await ctx.db.insert('workspaces', { project })
    return workspace
  },
})

/** Lets a member of the organisation see a private workspace. */
export const admit = auth.orgMutation({
  args: { workspaceId: v.string(), user: v.string() },
  workspace: 'workspaceId',
  permission: 'workspace:write',
  audit: 'workspace.admit',
  handler: async (ctx, { workspaceId: workspace, user }) => {
    const { organization } = ctx.principal
    const db = await ctx.unsafeDb('writes down who sees a workspace')
    const row = { organization, workspace, user }
    const known = await db
      .query('authWorkspaceMembers')
      .withIndex('by_workspace_user', (q) =>
        q.eq('organization', organization).eq('workspace', workspace).eq('user', user),
      )
      .unique()
    if (known === null) await db.insert('authWorkspaceMembers', row)
    return null
  },
})
