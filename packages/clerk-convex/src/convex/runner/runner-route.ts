import { type GenericActionCtx, type GenericDataModel, httpActionGeneric, internalMutationGeneric } from 'convex/server'
import { v } from 'convex/values'
import { isAuthError } from '../../auth-error.ts'
import { type DenialReason, readDenial, unwrap } from '../../denial.ts'
import type { RunnerPrincipal } from '../../runner/admit.ts'
import type { Setting } from '../options.ts'
import type { ExplicitPrincipal } from '../principal.ts'
import type { RunnerAction } from './action.ts'
import { answersAboutRunners } from './answers.ts'
import type { RunnerActionDefinition, RunnerRouteOptions, Runners } from './options.ts'
import { admissionTokens, endpointTokens } from './ports.ts'
import { readOptions, refuse } from './read-options.ts'
import { takeStep } from './step.ts'

type HttpContext = GenericActionCtx<GenericDataModel>

/** See {@link Auth.runnerRoute}. */
export function runnerRoute<Permission extends string>(
  setting: Setting,
  routeOptions: RunnerRouteOptions<Permission>,
): Runners<Permission> {
  const options = readOptions(setting, routeOptions)
  return {
    functions: {
      step: internalMutationGeneric({ args: { call: v.any() }, handler: takeStep(setting, options) }),
      ...answersAboutRunners(setting, options),
    },
    endpoints: httpActionGeneric((ctx, request) => endpointTokens(ctx, setting, options).handle(request)),
    action: ({ scopes, handler }: RunnerActionDefinition<Permission>) => {
      const foreign = scopes.find((scope) => !options.scopes.has(scope))
      if (foreign !== undefined) refuse(`action: no runner is ever given ${foreign}; list it under \`scopes\`.`)
      return httpActionGeneric(async (ctx, request) => {
        const decision = await admissionTokens(ctx, setting, options).admit(request, { scopes })
        if (!decision.admitted) return decision.response
        const { principal } = decision
        try {
          return await handler(asRunner(ctx, explicit(principal)), principal, request)
        } catch (error) {
          const reason = readReason(error)
          if (reason === undefined) throw error
          return refusal(reason)
        }
      })
    },
  }
}

function explicit({ subject, organization, runner, scopes }: RunnerPrincipal): ExplicitPrincipal {
  const { id, epoch } = runner
  return { organization, user: subject, runner: { id, epoch, scopes: [...scopes] } }
}

/** The types of each call follow the function that is named; underneath all are one. */
function asRunner({ runQuery, runMutation, runAction }: HttpContext, principal: ExplicitPrincipal): RunnerAction {
  const calling =
    (run: (called: never, args: never) => Promise<unknown>) =>
    async (called: unknown, args: object): Promise<unknown> =>
      // The principal last: nothing that came with a request may stand in its place.
      unwrap(run(called as never, { ...args, principal } as never))
  const calls = { runQuery: calling(runQuery), runMutation: calling(runMutation), runAction: calling(runAction) }
  return { ...calls, principal } as unknown as RunnerAction
}

function readReason(error: unknown): DenialReason | undefined {
  if (!isAuthError(error) || error.code !== 'access_denied') return readDenial(error)
  return readDenial({ countersignDenied: { reason: error.reason } })
}

/** Never a 401, which has a runner make the whole request again: what came before the denial is done. */
function refusal(reason: DenialReason): Response {
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' }
  return new Response(JSON.stringify({ error: reason }), { status: reason === 'not_found' ? 404 : 403, headers })
}
