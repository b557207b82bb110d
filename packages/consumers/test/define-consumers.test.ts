import { describe, expect, it } from 'vitest'
import { type Consumer, type ConsumerMatrix, defineConsumers, parseConsumers } from '../src/index.ts'

const consumers = defineConsumers({
  'agent-api': {
    scopes: ['agents:read', 'jobs:run'],
    accessTokenLifeSeconds: 900,
    obtainedBy: 'sign-in',
    refresh: 'cookie',
  },
  'analytics-service': { scopes: { 'reports:write': { sideEffects: true } }, obtainedBy: ['client-credentials'] },
  'billing-worker': { scopes: ['jobs:run'], obtainedBy: 'exchange', algorithm: 'ES256' },
  edges: [{ from: 'agent-api', to: 'billing-worker', scopes: ['jobs:run'] }],
})

describe('defineConsumers', () => {
  it('gives each consumer by name, with the defaults filled in', () => {
    expect(consumers['agent-api']).toEqual({
      audience: 'agent-api',
      scopes: { 'agents:read': {}, 'jobs:run': {} },
      accessTokenLifeSeconds: 900,
      algorithm: 'EdDSA',
      obtainedBy: ['sign-in'],
      refresh: 'cookie',
    })
    expect(consumers['analytics-service']).toMatchObject({ accessTokenLifeSeconds: 600, refresh: 'none' })
  })

  it('is itself the plain matrix that the token service takes', () => {
    const matrix: ConsumerMatrix = consumers
    expect(Object.keys(matrix.consumers)).toEqual(['agent-api', 'analytics-service', 'billing-worker'])
    expect(matrix.edges).toHaveLength(1)
    expect(matrix.consumers['agent-api']).toBe(consumers['agent-api'])
  })

  it('comes through parseConsumers and JSON unchanged', () => {
    const plain = { consumers: consumers.consumers, edges: consumers.edges }
    expect(parseConsumers(consumers)).toEqual(plain)
    expect(parseConsumers(JSON.parse(JSON.stringify(plain)))).toEqual(plain)
  })

  it('cannot be changed afterwards, at any depth', () => {
    const frozen: unknown[] = [consumers]
    for (const value of frozen) {
      expect(Object.isFrozen(value)).toBe(true)
      if (typeof value !== 'object' || value === null) continue
      frozen.push(...Object.values(value).filter((inner) => typeof inner === 'object' && !frozen.includes(inner)))
    }
    expect(frozen.length).toBeGreaterThan(10)
  })

  it('finds nothing under names that every object has', () => {
    const matrix: ConsumerMatrix = consumers
    for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
      expect(matrix.consumers[name]).toBeUndefined()
      expect(matrix.consumers['agent-api']?.scopes[name]).toBeUndefined()
    }
  })
})

describe('types', () => {
  it('know the scopes of each audience', () => {
    const typed: Consumer<'agents:read' | 'jobs:run'> = consumers['agent-api']
    const single: Consumer<'reports:write'> = consumers['analytics-service']
    const tool: Consumer<'admin' | 'service'> = defineConsumers({
      tool: { scopes: ['admin', 'service'], obtainedBy: 'sign-in' },
    }).tool
    expect(Object.keys(tool.scopes)).toEqual(['admin', 'service'])
    expect([typed.audience, single.audience]).toEqual(['agent-api', 'analytics-service'])
    // @ts-expect-error a scope that does not exist
    expect(consumers['agent-api'].scopes['agents:wirte']).toBeUndefined()
    // @ts-expect-error an audience that does not exist
    expect(consumers['agent-ipa']).toBeUndefined()
  })

  it('refuse what the run time refuses too', () => {
    // Each of these fails to compile at the marked line, and throws as well.
    expect(() =>
      defineConsumers({
        // @ts-expect-error a scope is resource:action
        a: { scopes: ['read'], obtainedBy: 'sign-in' },
      }),
    ).toThrow(/resource:action/)
    expect(() =>
      defineConsumers({
        // @ts-expect-error an unknown way to a token
        a: { scopes: ['x:read'], obtainedBy: 'password' },
      }),
    ).toThrow(/sign-in/)
    expect(() =>
      defineConsumers({
        // @ts-expect-error a misspelt field
        a: { scopes: ['x:read'], obtainedBy: 'sign-in', accessTokenLife: 60 },
      }),
    ).toThrow(/accessTokenLife/)
    expect(() =>
      defineConsumers({
        // @ts-expect-error a reserved name
        consumers: { scopes: ['x:read'], obtainedBy: 'sign-in' },
      }),
    ).toThrow(/reserved/)
  })

  it('refuse an edge to an audience or scope that is not there', () => {
    const a = { scopes: ['x:read', 'y:read'], obtainedBy: 'sign-in' } as const
    const b = { scopes: ['y:read', 'b:only'], obtainedBy: 'exchange' } as const
    expect(() =>
      defineConsumers({
        a,
        b,
        // @ts-expect-error the scope belongs to the other audience
        edges: [{ from: 'a', to: 'b', scopes: ['x:read'], as: 'delegation' }],
      }),
    ).toThrow(/no scope/)
    expect(() =>
      defineConsumers({
        a,
        b,
        // @ts-expect-error no token for the first audience has the scope
        edges: [{ from: 'a', to: 'b', scopes: ['b:only'], by: ['c'], reason: true }],
      }),
    ).toThrow(/no token for a/)
    expect(() =>
      defineConsumers({
        a,
        b,
        // @ts-expect-error there is no such audience
        edges: [{ from: 'c', to: 'b', scopes: ['y:read'], as: 'delegation' }],
      }),
    ).toThrow(/no audience/)
    expect(() =>
      defineConsumers({
        a,
        b,
        // @ts-expect-error an audience does not exchange with itself
        edges: [{ from: 'b', to: 'b', scopes: ['y:read'], as: 'delegation' }],
      }),
    ).toThrow(/itself/)
  })
})
