import {
  type DataModelFromSchemaDefinition,
  defineTable,
  type SchemaDefinition,
  type TableDefinition,
} from 'convex/server'
import { type Validator, v } from 'convex/values'

/** Who of an issuer other than Clerk is whom; a row is written by the import, never from a claim. */
export interface IdentityRow {
  tokenIdentifier: string
  user: string
}

/** A user as Clerk's webhooks tell of it. No row: not heard of yet, which is not a refusal. */
export interface UserRow {
  user: string
  state: 'active' | 'banned' | 'deleted'
  /** Milliseconds, when the event happened. */
  changedAt: number
}

export interface OrganizationRow {
  organization: string
  name?: string
  slug?: string
  state: 'active' | 'deleted'
  changedAt: number
}

export interface MembershipRow {
  organization: string
  user: string
  /** Without Clerk's `org:`. */
  role: string
  /** A row that is `removed` stays: an earlier event that comes later must not bring the member back. */
  state: 'active' | 'removed'
  changedAt: number
}

export interface WorkspaceRow {
  organization: string
  workspace: string
  /** `organization`: every member sees it. `private`: those of `authWorkspaceMembers` do. */
  visibility: 'organization' | 'private'
}

export interface WorkspaceMemberRow {
  organization: string
  workspace: string
  user: string
}

export interface WebhookRow {
  svixId: string
  receivedAt: number
}

/** One privileged action, allowed or denied, or one operation on a session. Holds no token and no argument. */
export interface AuditRow {
  /** Milliseconds. */
  at: number
  kind: 'action' | 'authentication' | 'session' | 'unsafe' | 'runner'
  /** `run.stop`, `session.created`, … */
  action: string
  outcome: 'allowed' | 'denied'
  /** Why it was denied, the reason given for the raw database, or the grant that a runner's token was given for. */
  reason?: string
  user?: string
  /** Who acts in the user's place. */
  actor?: string
  organization?: string
  workspace?: string
  session?: string
  /** The runner that acted, or that it is about. */
  runner?: string
  /** The `jti` of a runner's token. */
  token?: string
  requestId?: string
  ip?: string
  userAgent?: string
}

type Table<Row, Indexes extends Record<string, string[]>> = TableDefinition<
  Validator<Row, 'required', keyof Row & string>,
  Indexes
>

export type AuthTables = {
  authIdentities: Table<IdentityRow, { by_token: ['tokenIdentifier', '_creationTime'] }>
  authUsers: Table<UserRow, { by_user: ['user', '_creationTime'] }>
  authOrganizations: Table<OrganizationRow, { by_organization: ['organization', '_creationTime'] }>
  authMemberships: Table<
    MembershipRow,
    { by_organization_user: ['organization', 'user', '_creationTime']; by_user: ['user', '_creationTime'] }
  >
  authWorkspaces: Table<WorkspaceRow, { by_workspace: ['organization', 'workspace', '_creationTime'] }>
  authWorkspaceMembers: Table<
    WorkspaceMemberRow,
    { by_workspace_user: ['organization', 'workspace', 'user', '_creationTime'] }
  >
  authWebhooks: Table<
    WebhookRow,
    { by_svix_id: ['svixId', '_creationTime']; by_received: ['receivedAt', '_creationTime'] }
  >
  authAudit: Table<
    AuditRow,
    {
      by_organization: ['organization', 'at', '_creationTime']
      by_user: ['user', 'at', '_creationTime']
      by_time: ['at', '_creationTime']
      by_refusal: ['action', 'runner', 'user', 'reason', 'at', '_creationTime']
    }
  >
}

const text = v.optional(v.string())

/**
 * The tables that decide and record who may do what. No function reaches them by `ctx.db`.
 *
 * @example In convex/schema.ts
 * export default defineSchema({ ...authTables, runs: defineTable({ … }).index('by_org', ['orgId']) })
 */
export const authTables: AuthTables = {
  authIdentities: defineTable({ tokenIdentifier: v.string(), user: v.string() }).index('by_token', ['tokenIdentifier']),
  authUsers: defineTable({
    user: v.string(),
    state: v.union(v.literal('active'), v.literal('banned'), v.literal('deleted')),
    changedAt: v.number(),
  }).index('by_user', ['user']),
  authOrganizations: defineTable({
    organization: v.string(),
    name: text,
    slug: text,
    state: v.union(v.literal('active'), v.literal('deleted')),
    changedAt: v.number(),
  }).index('by_organization', ['organization']),
  authMemberships: defineTable({
    organization: v.string(),
    user: v.string(),
    role: v.string(),
    state: v.union(v.literal('active'), v.literal('removed')),
    changedAt: v.number(),
  })
    .index('by_organization_user', ['organization', 'user'])
    .index('by_user', ['user']),
  authWorkspaces: defineTable({
    organization: v.string(),
    workspace: v.string(),
    visibility: v.union(v.literal('organization'), v.literal('private')),
  }).index('by_workspace', ['organization', 'workspace']),
  authWorkspaceMembers: defineTable({ organization: v.string(), workspace: v.string(), user: v.string() }).index(
    'by_workspace_user',
    ['organization', 'workspace', 'user'],
  ),
  authWebhooks: defineTable({ svixId: v.string(), receivedAt: v.number() })
    .index('by_svix_id', ['svixId'])
    .index('by_received', ['receivedAt']),
  authAudit: defineTable({
    at: v.number(),
    kind: v.union(
      v.literal('action'),
      v.literal('authentication'),
      v.literal('session'),
      v.literal('unsafe'),
      v.literal('runner'),
    ),
    action: v.string(),
    outcome: v.union(v.literal('allowed'), v.literal('denied')),
    reason: text,
    user: text,
    actor: text,
    organization: text,
    workspace: text,
    session: text,
    runner: text,
    token: text,
    requestId: text,
    ip: text,
    userAgent: text,
  })
    .index('by_organization', ['organization', 'at'])
    .index('by_user', ['user', 'at'])
    .index('by_time', ['at'])
    .index('by_refusal', ['action', 'runner', 'user', 'reason', 'at']),
}

export type AuthDataModel = DataModelFromSchemaDefinition<SchemaDefinition<AuthTables, true>>
