import type { GenericDatabaseReader, GenericDataModel, GenericMutationCtx, GenericQueryCtx } from 'convex/server'
import { AuthError } from '../auth-error.ts'
import { type AuthReader, type Known, seesWorkspace } from './admission.ts'
import { type AuthWriter, record } from './audit.ts'
import { type Effects, noteEffect, noting } from './effects.ts'
import type { Setting } from './options.ts'
import type { OrgPrincipal, UserPrincipal } from './principal.ts'
import { type Scope, TenantDb, TenantWriterDb } from './tenant-db.ts'

export type RawQueryContext = GenericQueryCtx<GenericDataModel>
export type RawMutationContext = GenericMutationCtx<GenericDataModel>

/** The tables of authorisation, which every schema that passed `readOptions` has. */
export function authReader(db: GenericDatabaseReader<GenericDataModel>): AuthReader {
  return db as unknown as AuthReader
}

export function authWriter(db: RawMutationContext['db']): AuthWriter {
  return db as unknown as AuthWriter
}

export function queryContext(
  ctx: RawQueryContext,
  setting: Setting,
  principal: OrgPrincipal | UserPrincipal,
  known: Known,
): object {
  const { meta, runQuery } = ctx
  return {
    meta,
    runQuery,
    principal,
    db: new TenantDb(ctx.db, setting, scopeOf(principal, authReader(ctx.db))),
    unsafeDb: unsafeReader(ctx, setting, known),
  }
}

export function unsafeReader(
  ctx: RawQueryContext,
  { emit }: Setting,
  { user, organization }: Known,
): (reason: string) => Promise<RawQueryContext['db']> {
  return async (reason: string) => {
    emit({
      type: 'unsafe_db',
      reason: readReason(reason),
      ...(user === undefined ? {} : { user }),
      ...(organization === undefined ? {} : { organization }),
    })
    return ctx.db
  }
}

export function mutationContext(
  ctx: RawMutationContext,
  setting: Setting,
  principal: OrgPrincipal | UserPrincipal,
  known: Known,
  effects: Effects,
): object {
  const { meta, runQuery, auth } = ctx
  return {
    meta,
    auth,
    runQuery,
    principal,
    ...noting({ runMutation: ctx.runMutation }, effects),
    scheduler: noting(ctx.scheduler, effects),
    db: new TenantWriterDb(ctx.db, setting, scopeOf(principal, authReader(ctx.db)), effects),
    unsafeDb: async (reason: string) => {
      // Its row has to go if the rest of the call goes.
      noteEffect(effects)
      const what = { kind: 'unsafe', action: 'unsafe_db', outcome: 'allowed', reason: readReason(reason) } as const
      await record(authWriter(ctx.db), setting.now(), known, what, await ctx.meta.getRequestMetadata())
      return ctx.db
    },
  }
}

function scopeOf(principal: OrgPrincipal | UserPrincipal, db: AuthReader): Scope {
  if (!('organization' in principal)) {
    const { user } = principal
    return { user, organization: undefined, workspace: undefined, seesWorkspace: async () => false }
  }
  const { organization, user, workspace } = principal
  return { organization, user, workspace, seesWorkspace: (one) => seesWorkspace(principal, one, db) }
}

function readReason(reason: string): string {
  if (reason.trim().length >= 8 && reason.length <= 200) return reason
  throw new AuthError('tenant_misuse', 'The raw database needs a reason of 8 to 200 characters.')
}
