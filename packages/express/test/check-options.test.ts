import type { RequestHandler } from 'express'
import { describe, expect, it } from 'vitest'
import { type ExpressAuthOptions, expressAuth, type RouteOptions } from '../src/index.ts'
import { makeGuard } from './fixtures.ts'

const done: RequestHandler = (_req, res) => void res.end()
const badOption = (text: string) =>
  expect.objectContaining({ name: 'ExpressAuthError', code: 'bad_option', message: expect.stringContaining(text) })
const verifier = { verify: () => Promise.reject(new Error('never asked')) }

describe('options', () => {
  it('are for a guard, and for nothing that only looks like one', () => {
    for (const wrong of [undefined, null, {}, verifier]) {
      expect(() => expressAuth(wrong as never)).toThrow(badOption('takes a guard'))
    }
  })

  it('are not misspelt in silence', () => {
    expect(() => expressAuth(makeGuard(), { relm: 'x' } as ExpressAuthOptions)).toThrow(badOption('`relm`'))
    const auth = expressAuth(makeGuard())
    const misspelt = { availabilty: 'token-life' } as RouteOptions
    expect(() => auth.requireToken(misspelt)).toThrow(badOption('`availabilty`'))
    expect(() => auth.requireScope('agents:read', misspelt)).toThrow(badOption('`availabilty`'))
    const access = { scopes: ['agents:read'], ...misspelt } as const
    expect(() => auth.router().get('/x', access, done)).toThrow(badOption('`availabilty`'))
  })

  it('say nothing else of late news than is known', () => {
    const options = { availability: 'always' } as unknown as RouteOptions
    expect(() => expressAuth(makeGuard()).requireToken(options)).toThrow(badOption("'token-life' or 'introspect'"))
  })

  it('are no list: scopes in one would be left out', () => {
    const unknown = expect.objectContaining({ code: 'unknown_scope' })
    const auth = expressAuth(makeGuard())
    expect(() => auth.requireScope('agents:read', ['agents:write'] as never)).toThrow(unknown)
    expect(() => auth.requireScope(['agents:read'] as never)).toThrow(unknown)
  })
})
