import { describe, expect, it } from 'vitest'
import {
  ConsumersError,
  type ConsumersErrorCode,
  consumersErrorCodes,
  consumersRemedies,
  isConsumersError,
  parseConsumers,
} from '../src/index.ts'

const a = { scopes: ['x:read', 'y:read', 'y:write', 'z:read'], obtainedBy: 'sign-in' }
const b = { scopes: ['y:read', 'y:write', 'b:only'], obtainedBy: 'exchange' }
const edge = { from: 'a', to: 'b', scopes: ['y:read'], as: 'delegation' }
const withEdge = (change: object) => ({ a, b, edges: [{ ...edge, ...change }] })

const many = (count: number, make: (index: number) => [string, unknown]) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => make(index)))

const refused: [why: string, input: unknown, code: ConsumersErrorCode, path: string][] = [
  ['is nothing', undefined, 'invalid_matrix', ''],
  ['is null', null, 'invalid_matrix', ''],
  ['is an array', [a], 'invalid_matrix', ''],
  ['is empty', {}, 'invalid_matrix', ''],
  ['has edges only', { edges: [] }, 'invalid_matrix', ''],
  ['has 257 audiences', many(257, (i) => [`a${i}`, a]), 'invalid_matrix', ''],
  ['has consumers that are no object', { consumers: 7 }, 'invalid_matrix', 'consumers'],
  ['has an audience that is a string', { a: 'x' }, 'invalid_matrix', 'a'],
  ['has an unknown field', { a: { ...a, lives: 9 } }, 'invalid_matrix', 'a'],
  [
    'lists an audience under another name',
    { consumers: { a: { ...a, audience: 'b' } } },
    'invalid_matrix',
    'a.audience',
  ],
  ['names an audience in capitals', { A: a }, 'invalid_audience', ''],
  ['names an audience with a space', { 'a b': a }, 'invalid_audience', ''],
  ['names an audience with 64 characters', { ['a'.repeat(64)]: a }, 'invalid_audience', ''],
  ['names an audience __proto__', JSON.parse('{"__proto__":{}}'), 'invalid_audience', ''],
  ['names an audience edges', { consumers: { edges: a } }, 'invalid_audience', ''],
  ['has no scopes field', { a: { obtainedBy: 'sign-in' } }, 'invalid_matrix', 'a.scopes'],
  ['has no scope', { a: { ...a, scopes: [] } }, 'invalid_scope', 'a.scopes'],
  ['has a scope without action', { a: { ...a, scopes: ['x'] } }, 'invalid_scope', 'a.scopes'],
  ['has a scope of three parts', { a: { ...a, scopes: ['x:y:z'] } }, 'invalid_scope', 'a.scopes'],
  ['has a scope with a space', { a: { ...a, scopes: ['x:read y:read'] } }, 'invalid_scope', 'a.scopes'],
  ['has a scope with a quote', { a: { ...a, scopes: ['x:re"ad'] } }, 'invalid_scope', 'a.scopes'],
  ['has a scope of 65 characters', { a: { ...a, scopes: [`x:${'r'.repeat(63)}`] } }, 'invalid_scope', 'a.scopes'],
  ['has a scope twice', { a: { ...a, scopes: ['x:read', 'x:read'] } }, 'invalid_scope', 'a.scopes'],
  ['has 129 scopes', { a: { ...a, scopes: many(129, (i) => [`x:r${i}`, {}]) } }, 'invalid_scope', 'a.scopes'],
  [
    'has an unknown scope property',
    { a: { ...a, scopes: { 'x:read': { safe: true } } } },
    'invalid_matrix',
    'a.scopes["x:read"]',
  ],
  ['has a description of two lines', { a: { ...a, description: 'one\ntwo' } }, 'invalid_matrix', 'a.description'],
  [
    'has a description of 201 characters',
    { a: { ...a, description: 'x'.repeat(201) } },
    'invalid_matrix',
    'a.description',
  ],
  ['has a life of 59 s', { a: { ...a, accessTokenLifeSeconds: 59 } }, 'invalid_life', 'a.accessTokenLifeSeconds'],
  [
    'has a life of 604,801 s',
    { a: { ...a, accessTokenLifeSeconds: 604_801 } },
    'invalid_life',
    'a.accessTokenLifeSeconds',
  ],
  [
    'has a life with a fraction',
    { a: { ...a, accessTokenLifeSeconds: 60.5 } },
    'invalid_life',
    'a.accessTokenLifeSeconds',
  ],
  ['has a life in words', { a: { ...a, accessTokenLifeSeconds: '10m' } }, 'invalid_matrix', 'a.accessTokenLifeSeconds'],
  ['signs with RS256', { a: { ...a, algorithm: 'RS256' } }, 'invalid_matrix', 'a.algorithm'],
  ['obtains a token by nothing', { a: { ...a, obtainedBy: [] } }, 'invalid_matrix', 'a.obtainedBy'],
  ['obtains a token by password', { a: { ...a, obtainedBy: 'password' } }, 'invalid_matrix', 'a.obtainedBy'],
  ['has a relative resource', { a: { ...a, resource: '/a' } }, 'invalid_resource', 'a.resource'],
  ['has a resource without TLS', { a: { ...a, resource: 'http://a.example.com' } }, 'invalid_resource', 'a.resource'],
  [
    'has a resource that looks like loopback',
    { a: { ...a, resource: 'http://127.0.0.1.example.com' } },
    'invalid_resource',
    'a.resource',
  ],
  [
    'has a resource with a password',
    { a: { ...a, resource: 'https://u:p@a.example.com' } },
    'invalid_resource',
    'a.resource',
  ],
  [
    'has a resource with a query',
    { a: { ...a, resource: 'https://a.example.com/?' } },
    'invalid_resource',
    'a.resource',
  ],
  [
    'has a resource with a fragment',
    { a: { ...a, resource: 'https://a.example.com/#x' } },
    'invalid_resource',
    'a.resource',
  ],
  [
    'has a resource in another spelling',
    { a: { ...a, resource: 'https://A.example.com:443/' } },
    'invalid_resource',
    'a.resource',
  ],
  [
    'has a resource of 513 characters',
    { a: { ...a, resource: `https://a.example.com/${'x'.repeat(491)}` } },
    'invalid_resource',
    'a.resource',
  ],
  [
    'has one resource for two audiences',
    { a: { ...a, resource: 'https://a.example.com' }, b: { ...b, resource: 'https://a.example.com/' } },
    'duplicate_resource',
    'b.resource',
  ],
  ['has edges that are no array', { a, edges: {} }, 'invalid_matrix', 'edges'],
  ['has 1,025 edges', { a, b, edges: Array(1025).fill(edge) }, 'invalid_matrix', 'edges'],
  ['has an edge from nowhere', withEdge({ from: 'c' }), 'unknown_audience', 'edges[0].from'],
  ['has an edge to nowhere', withEdge({ to: 'constructor' }), 'unknown_audience', 'edges[0].to'],
  [
    'has an edge with a scope of another audience',
    withEdge({ scopes: ['x:read'] }),
    'unknown_scope',
    'edges[0].scopes[0]',
  ],
  [
    'has an edge with a scope that no presented token has',
    withEdge({ scopes: ['y:read', 'b:only'] }),
    'unknown_scope',
    'edges[0].scopes[1]',
  ],
  ['has an edge for nobody', withEdge({ by: [] }), 'invalid_matrix', 'edges[0].by'],
  ['has an edge for 33 clients', withEdge({ by: Array(33).fill('c') }), 'invalid_matrix', 'edges[0].by'],
  ['has an edge for an id', withEdge({ by: ['client_x'] }), 'invalid_matrix', 'edges[0].by[0]'],
  ['has an edge for a user', withEdge({ by: ['User_x'] }), 'invalid_matrix', 'edges[0].by[0]'],
  ['has an edge that wants half a reason', withEdge({ reason: 'yes' }), 'invalid_matrix', 'edges[0].reason'],
  [
    'has an edge that gives what only an account can name',
    { a, b: { ...b, scopes: { 'y:read': { byName: true }, 'y:write': {} } }, edges: [edge] },
    'invalid_edge',
    'edges[0].scopes[0]',
  ],
  ['has an edge without scopes', withEdge({ scopes: [] }), 'invalid_matrix', 'edges[0].scopes'],
  ['has an edge with a scope twice', withEdge({ scopes: ['y:read', 'y:read'] }), 'invalid_edge', 'edges[0].scopes[1]'],
  ['has an edge to itself', withEdge({ from: 'b' }), 'invalid_edge', 'edges[0]'],
  [
    'has an edge to an audience without exchange',
    withEdge({ from: 'b', to: 'a', scopes: ['x:read'] }),
    'invalid_edge',
    'edges[0]',
  ],
  ['has an edge of an unknown kind', withEdge({ as: 'magic' }), 'invalid_matrix', 'edges[0].as'],
  ['has an edge twice', { a, b, edges: [edge, { ...edge, scopes: ['y:write'] }] }, 'invalid_edge', 'edges[1]'],
  [
    'has an edge of two kinds for one client',
    { a, b, edges: [edge, { ...edge, as: 'impersonation', by: ['c', 'a'] }] },
    'invalid_edge',
    'edges[1]',
  ],
]

describe('parseConsumers', () => {
  it.each(refused)('refuses a matrix that %s', (_why, input, code, path) => {
    let thrown: unknown
    try {
      parseConsumers(input)
    } catch (error) {
      thrown = error
    }
    expect(thrown).toMatchObject({ name: 'ConsumersError', code, path })
  })

  it('takes a life at either bound, and loopback without TLS', () => {
    const matrix = parseConsumers({
      a: { ...a, accessTokenLifeSeconds: 60, resource: 'http://127.0.0.1:4610' },
      b: { ...b, accessTokenLifeSeconds: 604_800, resource: 'http://[::1]:4611/b' },
      edges: [edge],
    })
    expect(Object.keys(matrix.consumers)).toEqual(['a', 'b'])
    expect(matrix.edges).toEqual([{ ...edge, by: ['a'], reason: false }])
  })

  it('takes an edge for whom and why it says, delegation unless said otherwise', () => {
    const { as: _, ...plain } = edge
    const edges = [plain, { ...plain, as: 'impersonation', by: ['night-shift', 'Desk.1', 'Desk.1'], reason: true }]
    const matrix = parseConsumers({ a, b, edges })
    expect(matrix.edges).toEqual([
      { ...edge, by: ['a'], reason: false },
      { ...edge, as: 'impersonation', by: ['night-shift', 'Desk.1'], reason: true },
    ])
    expect(parseConsumers(JSON.parse(JSON.stringify(matrix)))).toEqual(matrix)
  })

  it('takes the two roles of a small tool as scopes, and no other word', () => {
    const matrix = parseConsumers({ a: { ...a, scopes: ['admin', 'service'] } })
    expect(Object.keys(matrix.consumers.a?.scopes ?? {})).toEqual(['admin', 'service'])
    expect(() => parseConsumers({ a: { ...a, scopes: ['administrator'] } })).toThrow(/not resource:action/)
  })

  it('leaves its input alone', () => {
    const input = { a: { ...a, obtainedBy: ['sign-in', 'sign-in'] }, edges: [] }
    const before = structuredClone(input)
    expect(parseConsumers(input).consumers.a?.obtainedBy).toEqual(['sign-in'])
    expect(input).toEqual(before)
    expect(Object.isFrozen(input.a)).toBe(false)
  })
})

describe('ConsumersError', () => {
  it('has a remedy for every code', () => {
    expect(Object.keys(consumersRemedies).sort()).toEqual([...consumersErrorCodes].sort())
    expect(new ConsumersError('invalid_life', 'a', 'x').remedy).toBe(consumersRemedies.invalid_life)
  })

  it('is told from others, also from another copy of the package', () => {
    const foreign = Object.assign(new Error('x'), { name: 'ConsumersError', code: 'invalid_life' })
    expect(isConsumersError(foreign)).toBe(true)
    expect(isConsumersError(Object.assign(new Error('x'), { name: 'ConsumersError', code: 'other' }))).toBe(false)
    expect(isConsumersError(new Error('x'))).toBe(false)
  })
})
