import {
  actionGeneric,
  type DataModelFromSchemaDefinition,
  type GenericSchema,
  internalActionGeneric,
  internalMutationGeneric,
  internalQueryGeneric,
  mutationGeneric,
  type PublicHttpAction,
  queryGeneric,
  type RegisteredMutation,
  type RegisteredQuery,
  type SchemaDefinition,
} from 'convex/server'
import { type GenericValidator, v } from 'convex/values'
import type { Denied } from '../denial.ts'
import { applyChange, type Standing } from './apply-change.ts'
import { type Change, changeValidator } from './changes.ts'
import { authWriter, type RawQueryContext, unsafeReader } from './contexts.ts'
import type { Builders } from './definitions.ts'
import { type FunctionCard, type Gate, readGate, withCard } from './function-card.ts'
import {
  type GateCall,
  type Guarded,
  gateForActions,
  guardedAction,
  guardedMutation,
  guardedQuery,
  type Passed,
} from './guarded.ts'
import { type AuthOptions, type Roles, readOptions, type TenantRules } from './options.ts'
import {
  type CurrentUser,
  type RouteOptions,
  statusRoute,
  userRoute,
  type WebhookRouteOptions,
  webhookRoute,
} from './routes.ts'
import { orDenied, principalValidator } from './validators.ts'
import { whoAmI } from './who-am-i.ts'

/** What actions and routes call by name: export all three from the file that `module` names. */
export interface AuthFunctions {
  readonly gate: RegisteredMutation<'internal', { call: GateCall }, Promise<Passed | Denied>>
  readonly receiveWebhook: RegisteredMutation<'internal', { svixId: string; change: Change }, Promise<Standing>>
  readonly whoAmI: RegisteredQuery<'internal', Record<string, never>, Promise<CurrentUser | null>>
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
  statusRoute(options?: RouteOptions): PublicHttpAction
  /** `GET /auth/user`. */
  userRoute(options?: RouteOptions): PublicHttpAction
  /** `POST /auth/webhook`: Clerk's users, organisations, memberships and sessions. */
  webhookRoute(options: WebhookRouteOptions): PublicHttpAction
}

interface AnyDefinition extends Gate {
  readonly args: Record<string, GenericValidator>
  readonly returns?: GenericValidator
  readonly handler: Guarded['handler']
}

/**
 * Makes the functions of an app that know who calls them: the session's claim selects an organisation, and our own
 * tables say whether the caller is a member, in which role, and which workspaces they see.
 *
 * @throws AuthError `bad_option`, when the module is loaded
 *
 * @example In convex/auth.ts
 * export const auth = defineAuth({ schema, tenants: { runs: { index: 'by_org', field: 'orgId' } }, roles, identities })
 * export const { gate, receiveWebhook, whoAmI } = auth.functions
 */
export function defineAuth<
  Schema extends GenericSchema,
  const Rules extends TenantRules<DataModelFromSchemaDefinition<SchemaDefinition<Schema, true>>>,
  const RoleTable extends Roles,
>(options: AuthOptions<Schema, Rules, RoleTable>): Auth<Schema, Rules, RoleTable> {
  const setting = readOptions(options)

  const make = (
    caller: FunctionCard['caller'],
    isInternal: boolean,
    kind: 'query' | 'mutation' | 'action',
  ): ((definition: AnyDefinition) => unknown) => {
    const guard = { query: guardedQuery, mutation: guardedMutation, action: guardedAction }[kind]
    const register = registrars[isInternal ? 'internal' : 'public'][kind]
    return (definition) => {
      const card = readGate(definition, caller)
      const { args, returns, handler } = definition
      const registered = register({
        args: isInternal ? { ...args, principal: principalValidator } : args,
        ...(returns === undefined ? {} : { returns: kind === 'query' ? returns : orDenied(returns) }),
        handler: guard({ card, gate: definition, handler, isInternal }, setting),
      })
      return withCard(registered, card)
    }
  }

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
    orgQuery: make('org', false, 'query'),
    orgMutation: make('org', false, 'mutation'),
    orgAction: make('org', false, 'action'),
    userQuery: make('user', false, 'query'),
    userMutation: make('user', false, 'mutation'),
    userAction: make('user', false, 'action'),
    internalOrgQuery: make('org', true, 'query'),
    internalOrgMutation: make('org', true, 'mutation'),
    internalOrgAction: make('org', true, 'action'),
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
    },
    statusRoute: (routeOptions = {}) => statusRoute(setting, routeOptions),
    userRoute: (routeOptions = {}) => userRoute(setting, routeOptions),
    webhookRoute: (routeOptions) => webhookRoute(setting, routeOptions),
  }
}

type Register = (definition: {
  args: Record<string, GenericValidator>
  returns?: GenericValidator
  handler: (...args: never[]) => unknown
}) => object

/** Convex's own, which take any handler here: what they are given was built above. */
const registrars = {
  public: { query: queryGeneric, mutation: mutationGeneric, action: actionGeneric },
  internal: { query: internalQueryGeneric, mutation: internalMutationGeneric, action: internalActionGeneric },
} as unknown as Record<'public' | 'internal', Record<'query' | 'mutation' | 'action', Register>>
