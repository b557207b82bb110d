import type {
  GenericActionCtx,
  GenericDatabaseReader,
  GenericDatabaseWriter,
  GenericDataModel,
  GenericMutationCtx,
  GenericQueryCtx,
  RegisteredAction,
  RegisteredMutation,
  RegisteredQuery,
} from 'convex/server'
import type { GenericValidator, ObjectType, PropertyValidators } from 'convex/values'
import type { Denied } from '../denial.ts'
import type { TenantRules } from './options.ts'
import type { ExplicitPrincipal, OrgPrincipal, UserPrincipal } from './principal.ts'
import type { TenantReader, TenantWriter } from './tenant-types.ts'

/** What a query is given. Files are not offered: their ids know no tenant. */
export interface QueryContext<DataModel extends GenericDataModel, Rules extends TenantRules<DataModel>, Principal>
  extends Pick<GenericQueryCtx<DataModel>, 'meta' | 'runQuery'> {
  readonly db: TenantReader<DataModel, Rules>
  readonly principal: Principal
  /** The database without its tenants. A query cannot write, so that it was used is a line of the log. */
  unsafeDb(reason: string): Promise<GenericDatabaseReader<DataModel>>
}

export interface MutationContext<DataModel extends GenericDataModel, Rules extends TenantRules<DataModel>, Principal>
  extends Pick<GenericMutationCtx<DataModel>, 'meta' | 'runQuery' | 'runMutation' | 'scheduler' | 'auth'> {
  readonly db: TenantWriter<DataModel, Rules>
  readonly principal: Principal
  /** The database without its tenants; that it was used, and why, is a row of `authAudit`. */
  unsafeDb(reason: string): Promise<GenericDatabaseWriter<DataModel>>
}

export interface ActionContext<DataModel extends GenericDataModel, Principal>
  extends Pick<GenericActionCtx<DataModel>, 'meta' | 'runQuery' | 'runMutation' | 'runAction' | 'scheduler' | 'auth'> {
  readonly principal: Principal
}

interface Common<Args extends PropertyValidators, Output, Context> {
  /** Validators for every argument; `{}` for none. */
  readonly args: Args
  readonly returns?: GenericValidator
  readonly handler: (ctx: Context, args: ObjectType<Args>) => Promise<Output> | Output
}

interface InOrganization<Args extends PropertyValidators, Permission extends string> {
  /** What the caller's role must allow. @default membership is enough */
  readonly permission?: Permission
  /** The argument that says in which workspace the call is made; the caller must see it. */
  readonly workspace?: keyof Args & string
}

interface Privileged {
  /** The most seconds since the caller last proved who they are, 60 to 86,400. @default any time */
  readonly stepUpSeconds?: number
  /** The name of the action in `authAudit`, where each call is then one row, allowed or denied. @default the permission, if there is one */
  readonly audit?: string
}

export type OrgQueryDefinition<Args extends PropertyValidators, Output, Permission extends string, Context> = Common<
  Args,
  Output,
  Context
> &
  InOrganization<Args, Permission>

export type OrgWriteDefinition<Args extends PropertyValidators, Output, Permission extends string, Context> = Common<
  Args,
  Output,
  Context
> &
  InOrganization<Args, Permission> &
  Privileged

export type UserQueryDefinition<Args extends PropertyValidators, Output, Context> = Common<Args, Output, Context>
export type UserWriteDefinition<Args extends PropertyValidators, Output, Context> = Common<Args, Output, Context> &
  Privileged

/** Everything that `defineAuth` makes functions with. */
export interface Builders<
  DataModel extends GenericDataModel,
  Rules extends TenantRules<DataModel>,
  Permission extends string,
> {
  /** Members of an organisation: a query. A denial is thrown as a `ConvexError`. */
  orgQuery<Args extends PropertyValidators, Output>(
    definition: OrgQueryDefinition<Args, Output, Permission, QueryContext<DataModel, Rules, OrgPrincipal>>,
  ): RegisteredQuery<'public', ObjectType<Args>, Promise<Output>>
  /** Members of an organisation: a mutation. A denial is returned: see `unwrap`. */
  orgMutation<Args extends PropertyValidators, Output>(
    definition: OrgWriteDefinition<Args, Output, Permission, MutationContext<DataModel, Rules, OrgPrincipal>>,
  ): RegisteredMutation<'public', ObjectType<Args>, Promise<Output | Denied>>
  orgAction<Args extends PropertyValidators, Output>(
    definition: OrgWriteDefinition<Args, Output, Permission, ActionContext<DataModel, OrgPrincipal>>,
  ): RegisteredAction<'public', ObjectType<Args>, Promise<Output | Denied>>
  /** Anybody who is signed in, in no organisation: `ctx.db` reaches tables with `owner: 'user'`. */
  userQuery<Args extends PropertyValidators, Output>(
    definition: UserQueryDefinition<Args, Output, QueryContext<DataModel, Rules, UserPrincipal>>,
  ): RegisteredQuery<'public', ObjectType<Args>, Promise<Output>>
  userMutation<Args extends PropertyValidators, Output>(
    definition: UserWriteDefinition<Args, Output, MutationContext<DataModel, Rules, UserPrincipal>>,
  ): RegisteredMutation<'public', ObjectType<Args>, Promise<Output | Denied>>
  userAction<Args extends PropertyValidators, Output>(
    definition: UserWriteDefinition<Args, Output, ActionContext<DataModel, UserPrincipal>>,
  ): RegisteredAction<'public', ObjectType<Args>, Promise<Output | Denied>>
  /** Anybody at all, and no tenant's rows: `ctx` has no database but `unsafeDb`. */
  publicQuery<Args extends PropertyValidators, Output>(
    definition: Common<Args, Output, Pick<QueryContext<DataModel, Rules, never>, 'unsafeDb' | 'meta' | 'runQuery'>>,
  ): RegisteredQuery<'public', ObjectType<Args>, Promise<Output>>
  /** For other functions, the scheduler and crons, which say in whose name: they have no identity. */
  internalOrgQuery<Args extends PropertyValidators, Output>(
    definition: OrgQueryDefinition<Args, Output, Permission, QueryContext<DataModel, Rules, OrgPrincipal>>,
  ): RegisteredQuery<'internal', ObjectType<Args> & { principal: ExplicitPrincipal }, Promise<Output>>
  internalOrgMutation<Args extends PropertyValidators, Output>(
    definition: Omit<
      OrgWriteDefinition<Args, Output, Permission, MutationContext<DataModel, Rules, OrgPrincipal>>,
      'stepUpSeconds'
    >,
  ): RegisteredMutation<'internal', ObjectType<Args> & { principal: ExplicitPrincipal }, Promise<Output | Denied>>
  internalOrgAction<Args extends PropertyValidators, Output>(
    definition: Omit<
      OrgWriteDefinition<Args, Output, Permission, ActionContext<DataModel, OrgPrincipal>>,
      'stepUpSeconds'
    >,
  ): RegisteredAction<'internal', ObjectType<Args> & { principal: ExplicitPrincipal }, Promise<Output | Denied>>
}
