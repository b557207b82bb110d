import {
  type DataModelFromSchemaDefinition,
  type GenericSchema,
  internalMutationGeneric,
  internalQueryGeneric,
  type PublicHttpAction,
  type RegisteredMutation,
  type RegisteredQuery,
  type SchemaDefinition,
} from 'convex/server'
import { v } from 'convex/values'
import type { Denied } from '../denial.ts'
import { applyChange, type Standing } from './apply-change.ts'
import { type Change, changeValidator } from './changes.ts'
import { authWriter, type RawQueryContext, unsafeReader } from './contexts.ts'
import type { Builders } from './definitions.ts'
import { withCard } from './function-card.ts'
import { type GateCall, gateForActions, type Passed } from './guarded.ts'
import { type AnyDefinition, makeFunction, registrars, type Sort } from './make-function.ts'
import { type AuthOptions, type Roles, readOptions, type TenantRules } from './options.ts'
import {
  type CurrentUser,
  type RouteOptions,
  type StatusRouteOptions,
  statusRoute,
  userRoute,
  type WebhookRouteOptions,
  webhookRoute,
} from './routes.ts'
import type { RunnerRouteOptions, Runners } from './runner/options.ts'
import { runnerRoute } from './runner/runner-route.ts'
import { type Swept, sweeper } from './sweep.ts'
import { whoAmI } from './who-am-i.ts'

/** What actions and routes call by name: export all of them from the file that `module` names. */
export interface AuthFunctions {
  readonly gate: RegisteredMutation<'internal', { call: GateCall }, Promise<Passed | Denied>>
  readonly receiveWebhook: RegisteredMutation<'internal', { svixId: string; change: Change }, Promise<Standing>>
  readonly whoAmI: RegisteredQuery<'internal', Record<string, never>, Promise<CurrentUser | null>>
  /** Deletes what has had its time: for a cron, once an hour. */
  readonly sweep: RegisteredMutation<'internal', Record<string, never>, Promise<Swept>>
}

export interface Auth<
  Schema extends GenericSchema,
  Rules extends TenantRules<DataModelFromSchemaDefinition<SchemaDefinition<Schema, true>>>,
  RoleTable extends Roles,
> extends Builders<
    DataModelFromSchemaDefinition<SchemaDefinition<Schema, true>>,
    Rules,
    RoleTable[keyof RoleTable][number]
  > {
  readonly functions: AuthFunctions
  /** `GET /auth/status`; register it for `OPTIONS` too where pages of other origins ask. */
  statusRoute(options?: StatusRouteOptions): PublicHttpAction
  /** `GET /auth/user`. */
  userRoute(options?: RouteOptions): PublicHttpAction
  /** `POST /auth/webhook`: Clerk's users, organisations, memberships and sessions. */
  webhookRoute(options: WebhookRouteOptions): PublicHttpAction
  /**
   * Local runners: paired in the browser, admitted by tokens that this deployment signs and that their keys are bound to.
   * The schema needs `runnerTables`.
   *
   * @throws AuthError `bad_option`, when the module is loaded
   */
  runnerRoute(
    options: RunnerRouteOptions<RoleTable[keyof RoleTable][number]>,
  ): Runners<RoleTable[keyof RoleTable][number]>
}

/**
 * Makes the functions of an app that know who calls them: the session's claim selects an organisation, and our own
 * tables say whether the caller is a member, in which role, and which workspaces they see.
 *
 * @throws AuthError `bad_option`, when the module is loaded
 *
 * @example In convex/auth.ts
 * export const auth = defineAuth({ schema, tenants: { runs: { index: 'by_org', field: 'orgId' } }, roles, identities })
 * export const { gate, receiveWebhook, whoAmI, sweep } = auth.functions
 */
export function defineAuth<
  Schema extends GenericSchema,
  const Rules extends TenantRules<DataModelFromSchemaDefinition<SchemaDefinition<Schema, true>>>,
  const RoleTable extends Roles,
>(options: AuthOptions<Schema, Rules, RoleTable>): Auth<Schema, Rules, RoleTable> {
  const setting = readOptions(options)
  const make = (sort: Sort): ((definition: AnyDefinition) => unknown) => makeFunction(setting, sort)

  const publicQuery = ({ args, returns, handler }: AnyDefinition): unknown =>
    withCard(
      registrars.public.query({
        args,
        ...(returns === undefined ? {} : { returns }),
        handler: (ctx: RawQueryContext, given: Readonly<Record<string, unknown>>) =>
          handler({ meta: ctx.meta, runQuery: ctx.runQuery, unsafeDb: unsafeReader(ctx, setting, {}) }, given),
      }),
      { caller: 'public' },
    )

  // The types of each builder tie a definition to its handler; underneath all are one.
  const builders = {
    orgQuery: make({ caller: 'org', kind: 'query' }),
    orgMutation: make({ caller: 'org', kind: 'mutation' }),
    orgAction: make({ caller: 'org', kind: 'action' }),
    userQuery: make({ caller: 'user', kind: 'query' }),
    userMutation: make({ caller: 'user', kind: 'mutation' }),
    userAction: make({ caller: 'user', kind: 'action' }),
    internalOrgQuery: make({ caller: 'org', kind: 'query', isInternal: true }),
    internalOrgMutation: make({ caller: 'org', kind: 'mutation', isInternal: true }),
    internalOrgAction: make({ caller: 'org', kind: 'action', isInternal: true }),
    publicQuery,
  } as unknown as Builders<
    DataModelFromSchemaDefinition<SchemaDefinition<Schema, true>>,
    Rules,
    RoleTable[keyof RoleTable][number]
  >

  return {
    ...builders,
    functions: {
      gate: internalMutationGeneric({ args: { call: v.any() }, handler: gateForActions(setting) }),
      receiveWebhook: internalMutationGeneric({
        args: { svixId: v.string(), change: changeValidator },
        handler: (ctx, args) => applyChange(authWriter(ctx.db), args, setting.now()),
      }),
      whoAmI: internalQueryGeneric({ args: {}, handler: (ctx) => whoAmI(ctx, setting) }),
      sweep: internalMutationGeneric({ args: {}, handler: sweeper(setting) }),
    },
    statusRoute: (routeOptions = {}) => statusRoute(setting, routeOptions),
    userRoute: (routeOptions = {}) => userRoute(setting, routeOptions),
    webhookRoute: (routeOptions) => webhookRoute(setting, routeOptions),
    runnerRoute: (routeOptions) => runnerRoute(setting, routeOptions),
  }
}
