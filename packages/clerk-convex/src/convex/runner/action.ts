import type { FunctionArgs, FunctionReference, FunctionReturnType } from 'convex/server'
import type { Denied } from '../../denial.ts'
import type { ExplicitPrincipal } from '../principal.ts'

type Kind = 'query' | 'mutation' | 'action'

/** A function that `internalOrgQuery`, `internalOrgMutation` or `internalOrgAction` made. */
export type OrgFunction<Of extends Kind> = FunctionReference<Of, 'internal', { principal: ExplicitPrincipal }>

/** Calls a function in the runner's name: who calls is filled in, and cannot be another. */
export type CallAsRunner<Of extends Kind> = <Called extends OrgFunction<Of>>(
  called: Called,
  args: Omit<FunctionArgs<Called>, 'principal'> & { readonly principal?: never },
) => Promise<Exclude<FunctionReturnType<Called>, Denied>>

/**
 * What a route for runners is given: functions of the organisation, run as the runner. Each asks the tables anew, so that
 * a removal, a lost role and a revocation act in the middle of a job; `ctx.db` in them is the runner's workspace.
 */
export interface RunnerAction {
  readonly runQuery: CallAsRunner<'query'>
  readonly runMutation: CallAsRunner<'mutation'>
  readonly runAction: CallAsRunner<'action'>
  /** To be handed on to what is scheduled: it acts as the runner, and ends with its tokens. */
  readonly principal: ExplicitPrincipal
}
