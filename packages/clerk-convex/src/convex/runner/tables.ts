import {
  type DataModelFromSchemaDefinition,
  defineTable,
  type SchemaDefinition,
  type TableDefinition,
} from 'convex/server'
import { type Validator, v } from 'convex/values'
import type { AuthTables } from '../tables.ts'

export interface RunnerRow {
  runner: string
  name: string
  organization: string
  workspace: string
  owner: string
  thumbprint: string
  scopes: string[]
  epoch: number
  revoked: boolean
  /** Unix seconds, as all times of these tables. */
  pairedAt: number
}

export interface PairingRow {
  deviceCodeHash: string
  userCode: string
  thumbprint: string
  name: string
  scopes: string[]
  state: 'pending' | 'approved' | 'denied' | 'used'
  startedAt: number
  expiresAt: number
  intervalSeconds: number
  lastPollAt?: number
  /** Where it was asked for: an IPv4 address, or the first 64 bits of an IPv6 one. */
  address?: string
}

export interface UsedProofRow {
  proof: string
  until: number
}

export interface WrongCodeRow {
  person: string
  at: number
}

/** One row: the key set of the deployment itself. */
export interface RunnerKeysRow {
  /** As it was read; none before the first reading. */
  jwks?: string
  readAt: number
  askedAt: number
}

type Table<Row, Indexes extends Record<string, string[]>> = TableDefinition<
  Validator<Row, 'required', keyof Row & string>,
  Indexes
>

export type RunnerTables = {
  authRunners: Table<
    RunnerRow,
    {
      by_runner: ['runner', '_creationTime']
      by_key: ['thumbprint', 'revoked', '_creationTime']
      by_name: ['organization', 'workspace', 'revoked', 'name', '_creationTime']
    }
  >
  authRunnerPairings: Table<
    PairingRow,
    {
      by_device_code: ['deviceCodeHash', '_creationTime']
      by_user_code: ['userCode', '_creationTime']
      by_start: ['startedAt', '_creationTime']
    }
  >
  authRunnerWrongCodes: Table<
    WrongCodeRow,
    { by_person: ['person', 'at', '_creationTime']; by_at: ['at', '_creationTime'] }
  >
  authUsedProofs: Table<UsedProofRow, { by_proof: ['proof', '_creationTime']; by_end: ['until', '_creationTime'] }>
  authRunnerKeys: Table<RunnerKeysRow, Record<never, never>>
}

/**
 * What {@link Auth.runnerRoute} keeps runners in, beside `authTables`. No function reaches them by `ctx.db`.
 *
 * @example In convex/schema.ts
 * export default defineSchema({ ...authTables, ...runnerTables, runs: defineTable({ … }).index('by_org', ['orgId']) })
 */
export const runnerTables: RunnerTables = {
  authRunners: defineTable({
    runner: v.string(),
    name: v.string(),
    organization: v.string(),
    workspace: v.string(),
    owner: v.string(),
    thumbprint: v.string(),
    scopes: v.array(v.string()),
    epoch: v.number(),
    revoked: v.boolean(),
    pairedAt: v.number(),
  })
    .index('by_runner', ['runner'])
    .index('by_key', ['thumbprint', 'revoked'])
    .index('by_name', ['organization', 'workspace', 'revoked', 'name']),
  authRunnerPairings: defineTable({
    deviceCodeHash: v.string(),
    userCode: v.string(),
    thumbprint: v.string(),
    name: v.string(),
    scopes: v.array(v.string()),
    state: v.union(v.literal('pending'), v.literal('approved'), v.literal('denied'), v.literal('used')),
    startedAt: v.number(),
    expiresAt: v.number(),
    intervalSeconds: v.number(),
    lastPollAt: v.optional(v.number()),
    address: v.optional(v.string()),
  })
    .index('by_device_code', ['deviceCodeHash'])
    .index('by_user_code', ['userCode'])
    .index('by_start', ['startedAt']),
  authRunnerWrongCodes: defineTable({ person: v.string(), at: v.number() })
    .index('by_person', ['person', 'at'])
    .index('by_at', ['at']),
  authUsedProofs: defineTable({ proof: v.string(), until: v.number() })
    .index('by_proof', ['proof'])
    .index('by_end', ['until']),
  authRunnerKeys: defineTable({ jwks: v.optional(v.string()), readAt: v.number(), askedAt: v.number() }),
}

export const runnerTableNames: readonly string[] = Object.keys(runnerTables)

export type RunnerDataModel = DataModelFromSchemaDefinition<SchemaDefinition<AuthTables & RunnerTables, true>>
