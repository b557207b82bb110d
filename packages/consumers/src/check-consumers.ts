import type { Consumer, ConsumerMatrix } from './types.ts'

export type FindingCode =
  | 'not_ed25519'
  | 'long_life'
  | 'unreachable'
  | 'unmarked_side_effects'
  | 'refresh_without_sign_in'
  | 'exchange_cycle'
  | 'impersonation'
  | 'presented_by_another'

/** Something in a valid matrix that an operator should look at. */
export interface Finding {
  /** An error fails `countersign consumers check`; a warning does not. */
  readonly severity: 'error' | 'warning'
  readonly code: FindingCode
  readonly audience: string
  readonly message: string
  readonly remedy: string
}

export interface CheckOptions {
  /** Every audience must be signed for with Ed25519. @default false */
  readonly ed25519Only?: boolean
}

const longLifeSeconds = 3600
const changingActions: ReadonlySet<string> = new Set(
  'write create update delete run send cancel revoke act admin manage'.split(' '),
)

/** Reads a valid matrix for what is allowed but probably not meant. In the order of the matrix, so that two runs agree. */
export function checkConsumers(matrix: ConsumerMatrix, options: CheckOptions = {}): readonly Finding[] {
  const findings = Object.values(matrix.consumers).flatMap((consumer) => [
    ...(options.ed25519Only === true ? checkAlgorithm(consumer) : []),
    ...checkLife(consumer),
    ...checkReach(consumer, matrix),
    ...checkScopes(consumer),
    ...checkRefresh(consumer),
  ])
  return [...findings, ...checkEdges(matrix)]
}

function checkAlgorithm({ audience, algorithm }: Consumer): Finding[] {
  if (algorithm === 'EdDSA') return []
  return [
    {
      severity: 'error',
      code: 'not_ed25519',
      audience,
      message: `Tokens for ${audience} are signed with ${algorithm}.`,
      remedy: 'Move the consumer to a verifier that knows Ed25519, then remove `algorithm`.',
    },
  ]
}

function checkLife({ audience, accessTokenLifeSeconds: life }: Consumer): Finding[] {
  if (life <= longLifeSeconds) return []
  return [
    {
      severity: 'warning',
      code: 'long_life',
      audience,
      message: `An access token for ${audience} lives ${life} s: a stolen one is of use for that long.`,
      remedy: `Shorten accessTokenLifeSeconds to at most ${longLifeSeconds}, with a refresh token for longer sessions.`,
    },
  ]
}

function checkReach({ audience, obtainedBy }: Consumer, { edges }: ConsumerMatrix): Finding[] {
  if (!obtainedBy.includes('exchange') || edges.some((edge) => edge.to === audience)) return []
  return [
    {
      severity: obtainedBy.length === 1 ? 'error' : 'warning',
      code: 'unreachable',
      audience,
      message: `A token for ${audience} is obtained by exchange, but no edge leads there.`,
      remedy: 'Declare an edge to it, or remove "exchange" from its `obtainedBy`.',
    },
  ]
}

function checkScopes({ audience, scopes }: Consumer): Finding[] {
  return Object.entries(scopes)
    .filter(([scope, properties]) => properties.sideEffects === undefined && changingActions.has(actionOf(scope)))
    .map(([scope]) => ({
      severity: 'warning' as const,
      code: 'unmarked_side_effects' as const,
      audience,
      message: `The scope ${scope} of ${audience} sounds as if it changes something, but does not say so.`,
      remedy: 'Declare `sideEffects: true` (a synthetic token is then refused), or `false` if it changes nothing.',
    }))
}

function actionOf(scope: string): string {
  return scope.slice(scope.indexOf(':') + 1)
}

function checkRefresh({ audience, refresh, obtainedBy }: Consumer): Finding[] {
  if (refresh === 'none' || obtainedBy.includes('sign-in')) return []
  return [
    {
      severity: 'warning',
      code: 'refresh_without_sign_in',
      audience,
      message: `${audience} says how a refresh token is kept, but nobody signs in for it.`,
      remedy: 'Remove `refresh`, or add "sign-in" to its `obtainedBy`.',
    },
  ]
}

function checkEdges({ edges }: ConsumerMatrix): Finding[] {
  // Where somebody has to say why, no service goes round by itself: support acts at the place where the customer asked.
  const next = (from: string): string[] =>
    edges.filter((edge) => edge.from === from && !edge.reason).map((edge) => edge.to)
  const reaches = (goal: string, from: string, seen: Set<string>): boolean =>
    next(from).some((to) => to === goal || (!seen.has(to) && reaches(goal, to, seen.add(to))))
  const cyclic = [...new Set(edges.map((edge) => edge.from))].filter((from) => reaches(from, from, new Set()))
  return [
    ...cyclic.map((audience) => ({
      severity: 'warning' as const,
      code: 'exchange_cycle' as const,
      audience,
      message: `A token for ${audience} can be exchanged until it comes back to ${audience}.`,
      remedy: 'Remove an edge of the cycle; a chain of exchanges ends at 4 all the same.',
    })),
    ...edges.flatMap(({ from, to, by }) =>
      by
        .filter((client) => client !== from)
        .map((client) => ({
          severity: 'warning' as const,
          code: 'presented_by_another' as const,
          audience: to,
          message: `${client} may exchange tokens that were sent to ${from}.`,
          remedy:
            'Remove it from `by`, unless it is part of that service: who handles a token should be whom it was for.',
        })),
    ),
    ...edges
      .filter((edge) => edge.as === 'impersonation')
      .map((edge) => ({
        severity: 'warning' as const,
        code: 'impersonation' as const,
        audience: edge.to,
        message: `${edge.from} may impersonate at ${edge.to}: the token does not name who acts.`,
        remedy: 'Prefer `as: "delegation"`, which keeps the actor in the token.',
      })),
  ]
}
