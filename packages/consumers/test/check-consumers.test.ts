import { describe, expect, it } from 'vitest'
import { checkConsumers, defineConsumers, parseConsumers } from '../src/index.ts'

const codesOf = (input: unknown, options = {}) =>
  checkConsumers(parseConsumers(input), options).map(
    ({ severity, code, audience }) => `${severity} ${code} ${audience}`,
  )

const quiet = { scopes: ['x:read'], obtainedBy: 'sign-in' }
const exchanged = { scopes: ['x:read'], obtainedBy: 'exchange' }

describe('checkConsumers', () => {
  const cases: [what: string, input: object, options: object, expected: string[]][] = [
    ['nothing to say', { a: quiet }, { ed25519Only: true }, []],
    [
      'an algorithm other than Ed25519, when told so',
      { a: { ...quiet, algorithm: 'ES256' } },
      { ed25519Only: true },
      ['error not_ed25519 a'],
    ],
    ['no other algorithm, unless told so', { a: { ...quiet, algorithm: 'ES256' } }, {}, []],
    ['a life above an hour', { a: { ...quiet, accessTokenLifeSeconds: 3601 } }, {}, ['warning long_life a']],
    ['an hour is fine', { a: { ...quiet, accessTokenLifeSeconds: 3600 } }, {}, []],
    ['exchange as the only way, without an edge', { a: exchanged }, {}, ['error unreachable a']],
    [
      'exchange as one of two ways, without an edge',
      { a: { ...exchanged, obtainedBy: ['exchange', 'sign-in'] } },
      {},
      ['warning unreachable a'],
    ],
    [
      'a scope that sounds as if it changed something',
      { a: { ...quiet, scopes: ['x:write'] } },
      {},
      ['warning unmarked_side_effects a'],
    ],
    ['a scope that says so', { a: { ...quiet, scopes: { 'x:write': { sideEffects: false } } } }, {}, []],
    [
      'a refresh token that nobody gets',
      { a: { ...quiet, obtainedBy: 'client-credentials', refresh: 'body' } },
      {},
      ['warning refresh_without_sign_in a'],
    ],
    [
      'a cycle, and impersonation',
      {
        a: exchanged,
        b: exchanged,
        c: { ...quiet },
        edges: [
          { from: 'a', to: 'b', scopes: ['x:read'], as: 'delegation' },
          { from: 'b', to: 'a', scopes: ['x:read'], as: 'impersonation' },
          { from: 'c', to: 'a', scopes: ['x:read'], as: 'delegation' },
        ],
      },
      {},
      ['warning exchange_cycle a', 'warning exchange_cycle b', 'warning impersonation a'],
    ],
    [
      'no cycle where a reason is needed on the way',
      {
        a: exchanged,
        b: exchanged,
        c: quiet,
        edges: [
          { from: 'c', to: 'a', scopes: ['x:read'] },
          { from: 'a', to: 'b', scopes: ['x:read'] },
          { from: 'b', to: 'a', scopes: ['x:read'], reason: true },
        ],
      },
      {},
      [],
    ],
    [
      'a client that exchanges what was sent to another',
      { a: exchanged, c: quiet, edges: [{ from: 'c', to: 'a', scopes: ['x:read'], by: ['c', 'desk'] }] },
      {},
      ['warning presented_by_another a'],
    ],
  ]
  it.each(cases)('finds %s', (_what, input, options, expected) => {
    expect(codesOf(input, options)).toEqual(expected)
  })

  it('gives each finding a message and a remedy', () => {
    const [finding] = checkConsumers(defineConsumers({ a: { scopes: ['x:write'], obtainedBy: 'sign-in' } }))
    expect(finding?.message).toContain('x:write')
    expect(finding?.remedy).toContain('sideEffects')
  })
})
