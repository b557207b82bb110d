import { expect, it } from 'vitest'
import { GuardError, guardErrorCodes, guardRemedies, isGuardError } from '../src/index.ts'

it('has these codes of misuse and no others', () => {
  expect(guardErrorCodes).toEqual(['bad_option', 'no_resource', 'no_introspection', 'closed'])
  expect(Object.keys(guardRemedies)).toEqual(guardErrorCodes)
})

it.each(guardErrorCodes)('%s says what to do', (code) => {
  const error = new GuardError(code, 'Because.', { cause: 1 })
  expect(error).toMatchObject({ name: 'GuardError', message: 'Because.', cause: 1 })
  expect(error.remedy).toMatch(/^[A-Z].{15,}\.$/)
  expect(isGuardError(error)).toBe(true)
  expect(isGuardError({ ...error, name: 'GuardError', code })).toBe(false)
  expect(isGuardError(Object.assign(new Error('x'), { code }))).toBe(false)
  expect(isGuardError(Object.assign(new GuardError(code, 'x'), { code: 'nonsense' }))).toBe(false)
})
