import * as z from 'zod'
import { parseEdges } from './edges.ts'
import { ConsumersError } from './errors.ts'
import { parseResource } from './resource.ts'
import { shaped } from './shaped.ts'
import type { Consumer, ConsumerMatrix, ScopeProperties } from './types.ts'

/** Keys of a defined matrix that are no audiences. */
export const reservedNames: ReadonlySet<string> = new Set(['consumers', 'edges'])

const maxConsumers = 256
const maxScopes = 128
const maxDescription = 200

const audienceName = /^[a-z][a-z0-9._-]{0,62}$/
/** The two words stand for the roles of a small tool, whose resources nobody tells apart. */
const scopeName = /^(?:admin|service|(?=.{3,64}$)[a-z][a-z0-9_.-]*:[a-z][a-z0-9_.-]*)$/

const shortestLifeSeconds = 60
/** Past 12 h the issuer also asks for a key ring whose `maxOverlapSeconds` was raised for it. */
const longestLifeSeconds = 604_800

const description = z
  .string()
  .min(1)
  .max(maxDescription)
  .regex(/^[^\p{Cc}\p{Zl}\p{Zp}]*$/u, 'expected one line without control characters')

const scopeProperties = z.strictObject({
  sensitive: z.boolean().exactOptional(),
  sideEffects: z.boolean().exactOptional(),
  byName: z.boolean().exactOptional(),
  description: description.exactOptional(),
})

const obtainedBy = z.enum(['sign-in', 'client-credentials', 'exchange'])

const consumerInput = z.strictObject({
  /** Repeated in a matrix that was parsed before. */
  audience: z.string().exactOptional(),
  description: description.exactOptional(),
  scopes: z.union([z.array(z.string()), z.record(z.string(), scopeProperties)], {
    error: 'expected an array of scopes, or an object of scopes with their properties',
  }),
  accessTokenLifeSeconds: z.number({ error: 'expected a number of seconds' }).default(600),
  algorithm: z.enum(['EdDSA', 'ES256']).default('EdDSA'),
  obtainedBy: z.union([obtainedBy, z.array(obtainedBy).min(1)], {
    error: 'expected one or more of "sign-in", "client-credentials", "exchange"',
  }),
  refresh: z.enum(['cookie', 'body', 'none']).default('none'),
  resource: z.string().exactOptional(),
})

/**
 * Reads a matrix from anything, such as JSON: the form that `defineConsumers` takes, or a matrix that was made before.
 * The result is deeply frozen, and its records have no prototype: `matrix.consumers[name]` is safe for any name.
 *
 * At most 256 consumers of 128 scopes, and 1,024 edges.
 * @throws ConsumersError that names the path, what was expected and what was found
 */
export function parseConsumers(input: unknown): ConsumerMatrix {
  if (!isRecord(input)) throw new ConsumersError('invalid_matrix', '', `expected an object, found ${found(input)}`)
  const alreadyMatrix = Object.hasOwn(input, 'consumers')
  const listed = alreadyMatrix ? input.consumers : input
  if (!isRecord(listed)) {
    throw new ConsumersError('invalid_matrix', 'consumers', `expected an object, found ${found(listed)}`)
  }
  const entries = Object.entries(listed).filter(([name]) => alreadyMatrix || name !== 'edges')
  if (entries.length === 0) throw new ConsumersError('invalid_matrix', '', 'expected at least one audience')
  if (entries.length > maxConsumers) {
    throw new ConsumersError(
      'invalid_matrix',
      '',
      `expected at most ${maxConsumers} audiences, found ${entries.length}`,
    )
  }
  const consumers: Record<string, Consumer> = Object.create(null)
  const byResource = new Map<string, string>()
  for (const [audience, value] of entries) {
    const consumer = parseConsumer(audience, value)
    consumers[audience] = consumer
    if (consumer.resource === undefined) continue
    const key = parseResource(consumer.resource, `${audience}.resource`)
    const other = byResource.get(key)
    if (other !== undefined) {
      throw new ConsumersError('duplicate_resource', `${audience}.resource`, `${other} has the same resource URL`)
    }
    byResource.set(key, audience)
  }
  Object.freeze(consumers)
  return Object.freeze({ consumers, edges: parseEdges(input.edges ?? [], consumers) })
}

function parseConsumer(audience: string, value: unknown): Consumer {
  if (!audienceName.test(audience) || reservedNames.has(audience)) {
    throw new ConsumersError('invalid_audience', '', `${JSON.stringify(audience)} cannot name an audience`)
  }
  const input = shaped(consumerInput, value, audience, 'invalid_matrix')
  if (input.audience !== undefined && input.audience !== audience) {
    throw new ConsumersError('invalid_matrix', `${audience}.audience`, 'expected the name that it is listed under')
  }
  const life = input.accessTokenLifeSeconds
  if (!Number.isInteger(life) || life < shortestLifeSeconds || life > longestLifeSeconds) {
    const path = `${audience}.accessTokenLifeSeconds`
    throw new ConsumersError('invalid_life', path, `expected a whole number from 60 to 604800, found ${life}`)
  }
  const ways = typeof input.obtainedBy === 'string' ? [input.obtainedBy] : [...new Set(input.obtainedBy)]
  return Object.freeze({
    audience,
    ...(input.description === undefined ? {} : { description: input.description }),
    scopes: parseScopes(audience, input.scopes),
    accessTokenLifeSeconds: life,
    algorithm: input.algorithm,
    obtainedBy: Object.freeze(ways),
    refresh: input.refresh,
    ...(input.resource === undefined ? {} : { resource: input.resource }),
  })
}

function parseScopes(
  audience: string,
  input: readonly string[] | Readonly<Record<string, ScopeProperties>>,
): Readonly<Record<string, ScopeProperties>> {
  const listed: [string, ScopeProperties][] = Array.isArray(input)
    ? input.map((scope): [string, ScopeProperties] => [scope, {}])
    : Object.entries(input)
  if (listed.length === 0 || listed.length > maxScopes) {
    const path = `${audience}.scopes`
    throw new ConsumersError('invalid_scope', path, `expected 1 to ${maxScopes} scopes, found ${listed.length}`)
  }
  const scopes: Record<string, ScopeProperties> = Object.create(null)
  for (const [scope, properties] of listed) {
    if (!scopeName.test(scope)) {
      throw new ConsumersError('invalid_scope', `${audience}.scopes`, `${JSON.stringify(scope)} is not resource:action`)
    }
    if (scopes[scope] !== undefined) {
      throw new ConsumersError('invalid_scope', `${audience}.scopes`, `${scope} is listed twice`)
    }
    scopes[scope] = Object.freeze({ ...properties })
  }
  return Object.freeze(scopes)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function found(value: unknown): string {
  if (value === null) return 'null'
  return Array.isArray(value) ? 'an array' : typeof value
}
