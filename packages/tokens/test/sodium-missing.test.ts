import { registerHooks } from 'node:module'
import { afterAll, expect, it } from 'vitest'
import { isTokensError } from '../src/index.ts'
import { sodiumEd25519 } from '../src/node/sodium.ts'

const hooks = registerHooks({
  resolve(specifier, context, next) {
    if (specifier === 'sodium-native') throw Object.assign(new Error('Cannot find it.'), { code: 'MODULE_NOT_FOUND' })
    return next(specifier, context)
  },
})
afterAll(() => hooks.deregister())

it('says which package is missing, when the engine is asked for and not when the module is read', () => {
  const thrown = (() => {
    try {
      return sodiumEd25519()
    } catch (error) {
      return error
    }
  })()
  expect(isTokensError(thrown)).toBe(true)
  expect(thrown).toMatchObject({
    code: 'engine_unavailable',
    message: expect.stringContaining('"sodium-native" is not installed'),
    remedy: expect.stringContaining('sodium-native'),
    cause: expect.objectContaining({ code: 'MODULE_NOT_FOUND' }),
  })
})
