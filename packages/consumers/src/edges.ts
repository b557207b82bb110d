import * as z from 'zod'
import { ConsumersError } from './errors.ts'
import { shaped } from './shaped.ts'
import type { Consumer, ExchangeEdge } from './types.ts'

const maxEdges = 1024

/** As the issuer takes it; never an id, which nobody knows before the client is made. */
const clientName = /^(?!(?:client|user)_)[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/i

const edgeInput = z.strictObject({
  from: z.string(),
  to: z.string(),
  scopes: z.array(z.string()).min(1, 'expected at least one scope'),
  as: z.enum(['delegation', 'impersonation']).default('delegation'),
  by: z.array(z.string().regex(clientName, 'expected names of clients')).min(1).max(32).optional(),
  reason: z.boolean().default(false),
})

/** Checks who may exchange whose token (RFC 8693) against the audiences that there are. */
export function parseEdges(input: unknown, consumers: Readonly<Record<string, Consumer>>): readonly ExchangeEdge[] {
  const listed = shaped(z.array(z.unknown()).max(maxEdges), input, 'edges', 'invalid_matrix')
  const seen = new Set<string>()
  return Object.freeze(
    listed.map((value, index) => {
      const path = `edges[${index}]`
      const edge = parseEdge(value, path, consumers)
      for (const client of edge.by) {
        const key = `${edge.from} ${edge.to} ${client}`
        if (seen.has(key))
          throw new ConsumersError('invalid_edge', path, `the same edge is declared twice for ${client}`)
        seen.add(key)
      }
      return edge
    }),
  )
}

function parseEdge(value: unknown, path: string, consumers: Readonly<Record<string, Consumer>>): ExchangeEdge {
  const edge = shaped(edgeInput, value, path, 'invalid_matrix')
  const source = consumers[edge.from]
  if (source === undefined) throw unknownAudience(edge.from, `${path}.from`)
  const target = consumers[edge.to]
  if (target === undefined) throw unknownAudience(edge.to, `${path}.to`)
  if (edge.from === edge.to) throw new ConsumersError('invalid_edge', path, 'leads from an audience to itself')
  if (!target.obtainedBy.includes('exchange')) {
    throw new ConsumersError('invalid_edge', path, `a token for ${edge.to} is not obtained by exchange`)
  }
  for (const [index, scope] of edge.scopes.entries()) {
    const where = `${path}.scopes[${index}]`
    if (target.scopes[scope] === undefined) {
      throw new ConsumersError('unknown_scope', where, `${edge.to} has no scope ${JSON.stringify(scope)}`)
    }
    // An exchange never adds a scope: what the presented token cannot have, the new one never gets.
    if (source.scopes[scope] === undefined) {
      throw new ConsumersError(
        'unknown_scope',
        where,
        `no token for ${edge.from} has the scope ${JSON.stringify(scope)}`,
      )
    }
    // Else a token of somebody whose account does not name it would become one that has it.
    if (target.scopes[scope].byName === true && source.scopes[scope].byName !== true) {
      throw new ConsumersError('invalid_edge', where, `${edge.to} gives ${scope} by name, and ${edge.from} does not`)
    }
    if (edge.scopes.indexOf(scope) !== index)
      throw new ConsumersError('invalid_edge', where, `${scope} is listed twice`)
  }
  const by = Object.freeze([...new Set(edge.by ?? [edge.from])])
  return Object.freeze({ ...edge, scopes: Object.freeze([...edge.scopes]), by })
}

function unknownAudience(name: string, path: string): ConsumersError {
  return new ConsumersError('unknown_audience', path, `there is no audience ${JSON.stringify(name)}`)
}
