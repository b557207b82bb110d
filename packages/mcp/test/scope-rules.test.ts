import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createScopeRules } from '../src/core/scope-rules.ts'
import { traceIdOf } from '../src/core/trace-id.ts'
import { McpGuardError } from '../src/index.ts'

describe('scopes that imply others', () => {
  const rules = createScopeRules({ admin: ['write', 'audit'], write: ['read'], a: ['b'], b: ['a'] })

  it.each([
    ['itself', ['read'], ['read'], ['read']],
    ['one step', ['write'], ['read'], ['write']],
    ['two steps', ['admin'], ['read'], ['admin']],
    ['itself before what implies it', ['admin', 'read'], ['read'], ['read']],
    ['each by its own', ['admin', 'audit'], ['audit', 'read'], ['audit', 'admin']],
    ['a circle, one way', ['a'], ['b'], ['a']],
    ['a circle, the other way', ['b'], ['a'], ['b']],
    ['nothing for nothing', [], [], []],
    ['never downwards', ['read'], ['write'], undefined],
    ['all or none', ['write'], ['read', 'audit'], undefined],
  ])('carry %s', (_what, held, required, carriers) => {
    expect(rules.carriers(new Set(held), required)).toEqual(carriers)
  })

  it('name what is missing', () => {
    expect(rules.missing(new Set(['write']), ['read', 'audit', 'admin'])).toEqual(['audit', 'admin'])
  })

  it('carry exactly what following the hierarchy reaches', () => {
    const scope = fc.constantFrom('a', 'b', 'c', 'd', 'e')
    const hierarchy = fc.dictionary(scope, fc.array(scope))
    fc.assert(
      fc.property(hierarchy, fc.array(scope), fc.array(scope), (implies, held, required) => {
        const reached = new Set(held)
        for (const one of reached) for (const more of implies[one] ?? []) reached.add(more)
        const carriers = createScopeRules(implies).carriers(new Set(held), required)
        expect(carriers !== undefined).toBe(required.every((one) => reached.has(one)))
        for (const one of carriers ?? []) expect(held).toContain(one)
      }),
    )
  })

  it.each([
    ['a scope that nobody knows', { admin: ['nothing'] }, 'unknown_scope'],
    ['one that is no scope', { 'a b': ['read'] }, 'unknown_scope'],
    ['no list', { admin: 'read' }, 'bad_option'],
  ])('refuse %s', (_what, implies, code) => {
    try {
      createScopeRules(implies as never, ['admin', 'read', 'a b'])
      expect.unreachable()
    } catch (error) {
      expect(error).toBeInstanceOf(McpGuardError)
      expect(error).toMatchObject({ code })
    }
  })
})

describe('a trace id', () => {
  const id = '4bf92f3577b34da6a3ce929d0e0e4736'
  it.each([
    [`00-${id}-00f067aa0ba902b7-01`, id],
    [`01-${id}-00f067aa0ba902b7-01-more`, id],
    [`ff-${id}-00f067aa0ba902b7-01`, undefined],
    [`00-${'0'.repeat(32)}-00f067aa0ba902b7-01`, undefined],
    [`00-${id}-${'0'.repeat(16)}-01`, undefined],
    [`00-${id.toUpperCase()}-00f067aa0ba902b7-01`, undefined],
    [`00-${id}-00f067aa0ba902b7`, undefined],
    ['evil\nline', undefined],
    ['', undefined],
  ])('of %j', (value, expected) => {
    expect(traceIdOf(undefined, null, value)).toBe(expected)
  })
})
