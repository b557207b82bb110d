import { type GenericValidator, type VObject, v } from 'convex/values'
import { denialReasons } from '../denial.ts'
import type { ExplicitPrincipal } from './principal.ts'

/** {@link ExplicitPrincipal}, for arguments of your own functions. */
export const principalValidator: VObject<
  ExplicitPrincipal,
  Record<keyof ExplicitPrincipal, GenericValidator>
> = v.object({
  organization: v.string(),
  user: v.optional(v.string()),
  system: v.optional(v.string()),
  runner: v.optional(v.object({ id: v.string(), epoch: v.number(), scopes: v.array(v.string()) })),
})

const reason = v.union(...denialReasons.map((one) => v.literal(one)))

/** `returns` of a function that may be denied. */
export function orDenied(returns: GenericValidator): GenericValidator {
  return v.union(
    returns,
    v.object({ countersignDenied: v.object({ reason, message: v.string(), runner: v.optional(v.string()) }) }),
  )
}
