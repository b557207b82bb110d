import {
  type GenericActionCtx,
  type GenericDataModel,
  makeFunctionReference,
  type RequestMetadata,
} from 'convex/server'
import { ConvexError } from 'convex/values'
import { type DenialReason, type Denied, denied, readDenial } from '../denial.ts'
import { type AuthReader, admitExplicit, admitMember, admitUser, type Known, type Outcome } from './admission.ts'
import { record, recordBounded } from './audit.ts'
import {
  authReader,
  authWriter,
  mutationContext,
  queryContext,
  type RawMutationContext,
  type RawQueryContext,
} from './contexts.ts'
import { type Effects, Refusal } from './effects.ts'
import type { FunctionCard, Gate } from './function-card.ts'
import type { Setting } from './options.ts'
import type { ExplicitPrincipal, OrgPrincipal, UserPrincipal } from './principal.ts'
import { isRecent } from './step-up.ts'

type Args = Readonly<Record<string, unknown>>
type Handler = (ctx: object, args: Args) => unknown
/** A handler as Convex registers it. */
type Registrable<Context> = (ctx: Context, given: Args) => Promise<unknown>

/** One function: what it asks, and what it does. */
export interface Guarded {
  readonly card: FunctionCard
  readonly gate: Gate
  readonly handler: Handler
  /** The principal comes as an argument, since there is no identity. */
  readonly isInternal: boolean
  /** A function of this package: it gets the database without its tenants, and writes its own rows where it was let in. */
  readonly isOurs?: boolean
}

export function guardedQuery(
  { card, gate, handler, isInternal, isOurs }: Guarded,
  setting: Setting,
): Registrable<RawQueryContext> {
  return async (ctx: RawQueryContext, given: Args): Promise<unknown> => {
    const { args, explicit } = split(given, isInternal)
    const outcome = await admit(ctx, card, { args, explicit }, setting)
    const refuse = async (reason: DenialReason): Promise<never> => {
      const { user, organization } = outcome.known
      const action = gate.permission ?? (await ctx.meta.getFunctionMetadata()).name
      const who = { ...(user === undefined ? {} : { user }), ...(organization === undefined ? {} : { organization }) }
      setting.emit({ type: 'denied', kind: 'query', action, reason, ...who })
      throw new ConvexError({ ...denied(reason) })
    }
    if (!('principal' in outcome)) return refuse(outcome.reason)
    try {
      const context = queryContext(ctx, setting, outcome.principal, outcome.known)
      return await handler(isOurs === true ? { ...context, db: ctx.db } : context, args)
    } catch (error) {
      if (error instanceof Refusal) return refuse(error.reason)
      throw error
    }
  }
}

export function guardedMutation(
  { card, gate, handler, isInternal, isOurs }: Guarded,
  setting: Setting,
): Registrable<RawMutationContext> {
  return async (ctx: RawMutationContext, given: Args): Promise<unknown> => {
    const { args, explicit } = split(given, isInternal)
    const action = gate.audit ?? gate.permission ?? (await ctx.meta.getFunctionMetadata()).name
    const workspace = workspaceOf(card, args)
    const call: GateCall = {
      ...card,
      action,
      isPrivileged: isOurs !== true && isPrivileged(gate),
      explicit,
      ...(workspace === undefined ? {} : { workspace }),
    }
    const outcome = await passGate(ctx, call, setting)
    if (!('principal' in outcome)) return denied(outcome.reason)
    const effects: Effects = { any: false }
    try {
      const context = mutationContext(ctx, setting, outcome.principal, outcome.known, effects)
      const result = await handler(isOurs === true ? { ...context, db: ctx.db } : context, args)
      await outcome.settle('allowed')
      return result
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      if (!effects.any) {
        effects.denied = error.reason
        await outcome.settle('denied', error.reason)
        return denied(error.reason)
      }
      // What was done before the denial must not stay, and the row of the denial goes with it.
      const { user, organization } = outcome.known
      const who = { ...(user === undefined ? {} : { user }), ...(organization === undefined ? {} : { organization }) }
      setting.emit({ type: 'denied', kind: 'rolled_back', action, reason: error.reason, ...who })
      throw new ConvexError({ ...denied(error.reason) })
    }
  }
}

/** What an action sends to the mutation that decides for it. */
export interface GateCall extends Omit<FunctionCard, 'workspace'> {
  readonly action: string
  readonly isPrivileged: boolean
  /** The id, not the argument's name. */
  readonly workspace?: string
  readonly explicit?: ExplicitPrincipal | undefined
}

/** A principal as it goes from the gate to an action. */
export interface Passed {
  principal: (Omit<OrgPrincipal, 'permissions'> | UserPrincipal) & { readonly permissions: readonly string[] }
}

export function guardedAction(
  { card, gate, handler, isInternal }: Guarded,
  setting: Setting,
): Registrable<GenericActionCtx<GenericDataModel>> {
  const gateOfApp = makeFunctionReference<'mutation', { call: GateCall }, Passed | Denied>(`${setting.module}:gate`)
  return async (ctx: GenericActionCtx<GenericDataModel>, given: Args): Promise<unknown> => {
    const { args, explicit } = split(given, isInternal)
    const action = gate.audit ?? gate.permission ?? (await ctx.meta.getFunctionMetadata()).name
    const workspace = workspaceOf(card, args)
    const { workspace: _name, ...asked } = card
    const call: GateCall = {
      ...asked,
      action,
      isPrivileged: isPrivileged(gate),
      ...(workspace === undefined ? {} : { workspace }),
      ...(explicit === undefined ? {} : { explicit }),
    }
    const answer = await ctx.runMutation(gateOfApp, { call })
    if (!('principal' in answer)) return denied(readDenial(answer) ?? 'missing_permission')
    const { meta, runQuery, runMutation, runAction, scheduler, auth } = ctx
    const principal = Object.freeze({ ...answer.principal, permissions: new Set(answer.principal.permissions) })
    return handler({ meta, runQuery, runMutation, runAction, scheduler, auth, principal }, args)
  }
}

/** The body of the mutation that decides for actions: its row is committed before the action begins. */
export function gateForActions(
  setting: Setting,
): (ctx: RawMutationContext, args: { readonly call: GateCall }) => Promise<Passed | Denied> {
  return async (ctx: RawMutationContext, { call }: { readonly call: GateCall }): Promise<Passed | Denied> => {
    const outcome = await passGate(ctx, call, setting)
    if (!('principal' in outcome)) return denied(outcome.reason)
    await outcome.settle('allowed')
    const { principal } = outcome
    if (!('organization' in principal)) return { principal: { ...principal, permissions: [] } }
    return { principal: { ...principal, permissions: [...principal.permissions] } }
  }
}

type Passage =
  | { readonly reason: DenialReason }
  | {
      readonly principal: OrgPrincipal | UserPrincipal
      readonly known: Known
      settle(outcome: 'allowed' | 'denied', reason?: DenialReason): Promise<void>
    }

/** Decides, and writes down every denial and every privileged call. */
async function passGate(ctx: RawMutationContext, call: GateCall, setting: Setting): Promise<Passage> {
  const { stepUpSeconds, action, isPrivileged: privileged, explicit } = call
  const request = await ctx.meta.getRequestMetadata()
  const outcome = await decide(ctx, call, explicit, setting)
  const stale = stepUpSeconds !== undefined && !(await isRecent(ctx.auth, request, stepUpSeconds, setting))
  const settle = async (result: 'allowed' | 'denied', reason?: DenialReason): Promise<void> => {
    if (result === 'allowed' && !privileged) return
    const { known } = outcome
    const [db, now, origin] = [authWriter(ctx.db), setting.now(), originOf(request)]
    const what = { kind: kindOf(reason), action, outcome: result }
    if (reason === undefined) return record(db, now, known, what, origin)
    // Anybody may call a public function, and accounts cost little.
    const isStranger = explicit === undefined && strange.has(reason)
    if (!isStranger) return record(db, now, known, { ...what, reason }, origin)
    const isWritten = await recordBounded(db, now, known, { ...what, reason }, origin)
    const { user, organization } = known
    const who = { ...(user === undefined ? {} : { user }), ...(organization === undefined ? {} : { organization }) }
    if (!isWritten) setting.emit({ type: 'denied', kind: 'unwritten', action, reason, ...who })
  }
  const reason = 'principal' in outcome ? (stale ? 'step_up_required' : undefined) : outcome.reason
  if (reason !== undefined || !('principal' in outcome)) {
    const because = reason ?? 'signed_out'
    await settle('denied', because)
    return { reason: because }
  }
  return { principal: outcome.principal, known: outcome.known, settle }
}

async function admit(
  ctx: RawQueryContext,
  card: FunctionCard,
  { args, explicit }: { readonly args: Args; readonly explicit: ExplicitPrincipal | undefined },
  setting: Setting,
): Promise<Outcome<OrgPrincipal | UserPrincipal>> {
  const workspace = workspaceOf(card, args)
  const { workspace: _name, ...asked } = card
  return decide(ctx, { ...asked, ...(workspace === undefined ? {} : { workspace }) }, explicit, setting)
}

async function decide(
  ctx: Pick<RawQueryContext, 'auth' | 'db'>,
  asked: Pick<GateCall, 'caller' | 'permission' | 'workspace'>,
  explicit: ExplicitPrincipal | undefined,
  setting: Setting,
): Promise<Outcome<OrgPrincipal | UserPrincipal>> {
  const db: AuthReader = authReader(ctx.db)
  if (explicit !== undefined) return admitExplicit(explicit, db, setting, asked)
  return asked.caller === 'user' ? admitUser(ctx.auth, db, setting) : admitMember(ctx.auth, db, setting, asked)
}

function split(
  given: Args,
  isInternal: boolean,
): { readonly args: Args; readonly explicit: ExplicitPrincipal | undefined } {
  if (!isInternal) return { args: given, explicit: undefined }
  const { principal, ...args } = given
  // Convex has held it against `principalValidator`.
  return { args, explicit: principal as ExplicitPrincipal }
}

function workspaceOf({ workspace }: FunctionCard, args: Args): string | undefined {
  if (workspace === undefined) return undefined
  const id = args[workspace]
  // An argument that is optional and left out is a workspace that nobody sees.
  return typeof id === 'string' ? id : ''
}

/** Of those who are no members, or not known at all. */
const strange: ReadonlySet<DenialReason> = new Set([
  'signed_out',
  'pending_session',
  'unknown_user',
  'no_organization',
  'not_a_member',
])

function isPrivileged({ permission, audit }: Gate): boolean {
  return permission !== undefined || audit !== undefined
}

function kindOf(reason: DenialReason | undefined): 'authentication' | 'action' {
  const isAuthentication = reason === 'signed_out' || reason === 'pending_session' || reason === 'unknown_user'
  return isAuthentication ? 'authentication' : 'action'
}

function originOf({ ip, userAgent, requestId }: RequestMetadata) {
  return { ip, userAgent, requestId }
}
