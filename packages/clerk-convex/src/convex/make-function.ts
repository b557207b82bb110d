import {
  actionGeneric,
  internalActionGeneric,
  internalMutationGeneric,
  internalQueryGeneric,
  mutationGeneric,
  queryGeneric,
} from 'convex/server'
import type { GenericValidator } from 'convex/values'
import { type FunctionCard, type Gate, readGate, withCard } from './function-card.ts'
import { type Guarded, guardedAction, guardedMutation, guardedQuery } from './guarded.ts'
import type { Setting } from './options.ts'
import { orDenied, principalValidator } from './validators.ts'

export interface AnyDefinition extends Gate {
  readonly args: Record<string, GenericValidator>
  readonly returns?: GenericValidator
  readonly handler: Guarded['handler']
}

export interface Sort {
  readonly caller: FunctionCard['caller']
  readonly kind: 'query' | 'mutation' | 'action'
  readonly isInternal?: boolean
  /** See {@link Guarded.isOurs}. */
  readonly isOurs?: boolean
}

const guards = { query: guardedQuery, mutation: guardedMutation, action: guardedAction }

/** Makes functions of one sort: guarded, registered, and with the card that `proveIsolation` reads. */
export function makeFunction(
  setting: Setting,
  { caller, kind, isInternal = false, isOurs = false }: Sort,
): (definition: AnyDefinition) => unknown {
  const register = registrars[isInternal ? 'internal' : 'public'][kind]
  return (definition) => {
    const card = readGate(definition, caller)
    const { args, returns, handler } = definition
    const registered = register({
      args: isInternal ? { ...args, principal: principalValidator } : args,
      ...(returns === undefined ? {} : { returns: kind === 'query' ? returns : orDenied(returns) }),
      handler: guards[kind]({ card, gate: definition, handler, isInternal, isOurs }, setting),
    })
    return withCard(registered, card)
  }
}

type Register = (definition: {
  args: Record<string, GenericValidator>
  returns?: GenericValidator
  handler: (...args: never[]) => unknown
}) => object

/** Convex's own, which take any handler here: what they are given was built above. */
export const registrars = {
  public: { query: queryGeneric, mutation: mutationGeneric, action: actionGeneric },
  internal: { query: internalQueryGeneric, mutation: internalMutationGeneric, action: internalActionGeneric },
} as unknown as Record<'public' | 'internal', Record<'query' | 'mutation' | 'action', Register>>
