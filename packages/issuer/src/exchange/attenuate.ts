import type { ExchangeEdge } from '@countersign/consumers'
import type { ActClaim } from '@countersign/tokens'
import type { Generations } from '../ports.ts'
import type { PresentedToken } from './presented-token.ts'

/** Most exchanges in a row: actors, and ancestors. */
export const longestChain = 4
/** Most ids that `via` holds. */
const mostVia = 8

/** Who exchanges. */
export interface Exchanger {
  readonly id: string
  readonly generation: number
  readonly synthetic: boolean
  /** The scopes that its record allows; null: all. */
  readonly scopes: readonly string[] | null
}

/** Whom the client acts with: somebody who showed it a token, such as the operator before a console. */
export interface ActingParty {
  readonly subject: string
  /** The client and the user behind that token, its session and itself, each with the generation that it carries. */
  readonly restsOn: readonly (readonly [id: string, generation: number])[]
  readonly expiresAt: number
  readonly synthetic: boolean
}

export interface Wanted {
  readonly edge: ExchangeEdge
  /** The scopes that the request names; undefined: all that may be had. */
  readonly scopes: ReadonlySet<string> | undefined
  readonly actor?: ActingParty
  /** The issuer, as `may_act` may name it. */
  readonly issuer: string
}

/** What the new token is made of. */
export interface Attenuated {
  readonly subject: string
  readonly clientId: string
  readonly session: string
  readonly organization?: string
  readonly scope: string
  /** `[global, client, subject]`. */
  readonly generations: Generations
  readonly act?: ActClaim
  readonly actorGenerations: readonly number[]
  readonly mayAct?: unknown
  readonly ancestors: readonly string[]
  readonly via: readonly string[]
  readonly viaGenerations: readonly number[]
  /** It lives no longer. */
  readonly notAfter: number
  readonly synthetic: boolean
}

export type Unattenuated = 'may_act' | 'too_deep' | 'scope_grown' | 'scope_empty' | 'actor_unfit'

/**
 * What a token may become, as a function of nothing but its arguments. For every result:
 *
 * 1. its scopes are the presented token's, the edge's and the client's record's too, and the request's where it named some;
 * 2. it ends no later than the presented token and the actor's;
 * 3. its subject, session and organization are the presented token's;
 * 4. everybody before stays named: who acted in `act`, in order, below who acts now (delegation), every token in `anc`, and
 *    whoever is in neither in `via`; with the generations they had, so that whatever ends one of them ends it as well;
 * 5. `may_act` stays, and a monitor's token stays one;
 * 6. no chain is longer than {@link longestChain}.
 */
export function attenuate(
  presented: PresentedToken,
  client: Exchanger,
  { edge, scopes, actor, issuer }: Wanted,
): Attenuated | Unattenuated {
  const acting = actor?.subject ?? client.id
  if (presented.mayAct !== undefined && !mayAct(presented.mayAct, acting, client.id, issuer)) return 'may_act'
  const delegated = edge.as === 'delegation'
  // Nobody but the audit log would know of them.
  if (!delegated && actor !== undefined) return 'actor_unfit'

  const allowed = edge.scopes.filter((scope) => presented.scopes.has(scope) && isAllowed(client, scope))
  const granted = scopes === undefined ? allowed : [...scopes]
  if (allowed.length === 0 || granted.length === 0) return 'scope_empty'
  if (!granted.every((scope) => allowed.includes(scope))) return 'scope_grown'

  const actors = actorIds(presented.actor)
  const ancestors = presented.own === undefined ? [] : [presented.own.tokenId, ...presented.own.ancestors]
  const via = new Map(presented.via.map((id, index) => [id, presented.viaGenerations[index] ?? 0]))
  const before = presented.own?.clientId
  if (before !== undefined && before !== client.id && !actors.includes(before))
    via.set(before, presented.generations[1])
  for (const [id, generation] of actor?.restsOn ?? []) {
    if (id !== client.id) via.set(id, Math.min(generation, via.get(id) ?? generation))
  }
  const tooDeep = actors.length + Number(delegated) > longestChain || ancestors.length > longestChain
  if (tooDeep || via.size > mostVia) return 'too_deep'

  const inner = presented.actor === undefined ? undefined : { act: presented.actor }
  const act: ActClaim | undefined = delegated ? { sub: acting, client_id: client.id, ...inner } : presented.actor
  return {
    subject: presented.subject,
    clientId: client.id,
    session: presented.session,
    ...(presented.organization === undefined ? undefined : { organization: presented.organization }),
    scope: granted.join(' '),
    generations: [presented.generations[0], client.generation, presented.generations[2]],
    ...(act === undefined ? undefined : { act }),
    actorGenerations: delegated ? [client.generation, ...presented.actorGenerations] : presented.actorGenerations,
    ...(presented.mayAct === undefined ? undefined : { mayAct: presented.mayAct }),
    ancestors,
    via: [...via.keys()],
    viaGenerations: [...via.values()],
    notAfter: Math.min(presented.expiresAt, actor?.expiresAt ?? presented.expiresAt),
    synthetic: presented.synthetic || client.synthetic || actor?.synthetic === true,
  }
}

function isAllowed({ scopes }: Exchanger, scope: string): boolean {
  return scopes === null || scopes.includes(scope)
}

/** RFC 8693 section 4.4: every member must fit, and one that is not known here fits nobody. */
function mayAct(claim: unknown, acting: string, clientId: string, issuer: string): boolean {
  if (typeof claim !== 'object' || claim === null || !('sub' in claim || 'client_id' in claim)) return false
  const fitting: Readonly<Record<string, string>> = { sub: acting, client_id: clientId, iss: issuer }
  return Object.entries(claim).every(([name, value]) => Object.hasOwn(fitting, name) && fitting[name] === value)
}

/** The clients among them, outermost first; an actor without a client is its own. */
function actorIds(act: ActClaim | undefined): readonly string[] {
  const ids: string[] = []
  for (let one = act; one !== undefined; one = one.act) ids.push(one.client_id ?? one.sub)
  return ids
}
