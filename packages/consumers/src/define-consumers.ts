import { ConsumersError } from './errors.ts'
import { parseConsumers } from './parse-consumers.ts'
import type { Consumer, ConsumerMatrix, ObtainedBy, ScopeProperties } from './types.ts'

/** `resource:action`, in lower case; or one of the two roles of a tool whose resources nobody tells apart. */
export type ScopeName = ScopeOfResource | Role

type ScopeOfResource = `${string}:${string}`
type Role = 'admin' | 'service'
type ScopesWithProperties = Readonly<Record<ScopeOfResource, ScopeProperties>> & {
  readonly [Name in Role]?: ScopeProperties
}

/** One audience as it is written in a consumers file. */
export interface ConsumerInput {
  /** One line for the matrix document, at most 200 characters. */
  readonly description?: string
  /** 1 to 128; as an object where a scope has properties. */
  readonly scopes: readonly ScopeName[] | ScopesWithProperties
  /** 60 to 604,800; past 43,200 (12 h) only with a key ring whose `maxOverlapSeconds` is raised to match. @default 600 */
  readonly accessTokenLifeSeconds?: number
  /** ES256 for a consumer that cannot verify Ed25519. @default 'EdDSA' */
  readonly algorithm?: 'EdDSA' | 'ES256'
  readonly obtainedBy: ObtainedBy | readonly ObtainedBy[]
  /** How browser clients of this consumer keep the refresh token. @default 'none' */
  readonly refresh?: 'cookie' | 'body' | 'none'
  /** Where the consumer answers (RFC 8707, RFC 9728): https, or http on loopback. `aud` is the audience's name all the same. */
  readonly resource?: string
}

/** Keys of the input that are no audiences. */
export type ReservedName = 'consumers' | 'edges'

export type AudienceOf<T> = Exclude<keyof T, ReservedName> & string

export type ScopeOf<C> = C extends { readonly scopes: readonly (infer S extends string)[] }
  ? S
  : C extends { readonly scopes: infer R }
    ? keyof R & string
    : never

/** An exchange edge between audiences of `T`, with scopes that both have. */
export type EdgeInput<T> = {
  readonly [To in AudienceOf<T>]: {
    readonly [From in Exclude<AudienceOf<T>, To>]: {
      readonly from: From
      readonly to: To
      readonly scopes: readonly Extract<ScopeOf<T[To]>, ScopeOf<T[From]>>[]
      /** @default 'delegation': the new token names who acts */
      readonly as?: 'delegation' | 'impersonation'
      /** Names of the clients that may do so, 1 to 32. @default the one named like `from` */
      readonly by?: readonly string[]
      /** The request must say why; its words go to the audit log. @default false */
      readonly reason?: boolean
    }
  }[Exclude<AudienceOf<T>, To>]
}[AudienceOf<T>]

/** What an input must be: known fields only, and edges between its own audiences. */
export type CheckedInput<T> = {
  readonly [Name in keyof T]: Name extends 'edges'
    ? readonly EdgeInput<T>[]
    : Name extends ReservedName
      ? never
      : ConsumerInput & { readonly [Field in Exclude<keyof T[Name], keyof ConsumerInput>]: never }
}

/** The matrix, and each consumer under its audience's name with its scopes as literal types. */
export type DefinedConsumers<T> = ConsumerMatrix & {
  readonly [Audience in AudienceOf<T>]: Consumer<ScopeOf<T[Audience]>>
}

/**
 * The consumer matrix of a fleet: who verifies tokens, which scopes there are, how a token is obtained, who may exchange.
 * The result is a {@link ConsumerMatrix} as the token service takes it, and holds each consumer by name as a guard takes it.
 *
 * @throws ConsumersError for what the compiler cannot see: the form of names, lives and URLs, duplicates
 *
 * @example Two audiences and an edge
 * export const consumers = defineConsumers({
 *   'agent-api': { scopes: ['agents:read', 'jobs:run'], obtainedBy: 'sign-in', refresh: 'cookie' },
 *   'billing-worker': { scopes: ['jobs:run'], obtainedBy: 'exchange' },
 *   edges: [{ from: 'agent-api', to: 'billing-worker', scopes: ['jobs:run'] }],
 * })
 */
export function defineConsumers<const T extends object>(input: T & CheckedInput<T>): DefinedConsumers<T> {
  if (Object.hasOwn(input, 'consumers')) {
    throw new ConsumersError('invalid_audience', 'consumers', 'this name is reserved')
  }
  const matrix = parseConsumers(input)
  const defined: Record<string, unknown> = Object.assign(Object.create(null), matrix.consumers, matrix)
  return Object.freeze(defined) as unknown as DefinedConsumers<T>
}
