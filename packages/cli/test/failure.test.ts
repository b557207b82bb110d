import { describe, expect, it } from 'vitest'
import { CliError, cliErrorCodes, cliRemedies, isCliError, readFailure } from '../src/failure.ts'

/** Another package's error, as two installed copies would meet: only its shape is known. */
class ForeignRefusal extends Error {
  readonly code: string
  constructor(message: string, code = 'too_early', options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
  get remedy(): string {
    return 'Wait.'
  }
}

describe('failures', () => {
  const rows: [what: string, thrown: unknown, expected: object][] = [
    ['wrong usage', new CliError('wrong_usage', 'x'), { exitCode: 2, code: 'wrong_usage', expected: true }],
    ['a refusal of ours', new CliError('not_found', 'x'), { exitCode: 1, remedy: cliRemedies.not_found }],
    [
      'a refusal with a remedy of its own',
      new CliError('not_found', 'x', { remedy: 'Look elsewhere.' }),
      { exitCode: 1, remedy: 'Look elsewhere.' },
    ],
    [
      "another package's typed error",
      new ForeignRefusal('not yet'),
      { exitCode: 1, code: 'too_early', message: 'not yet', remedy: 'Wait.', expected: true },
    ],
    [
      'an error of the system',
      Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' }),
      { exitCode: 1, code: 'EACCES', expected: true },
    ],
    [
      'an unknown code',
      Object.assign(new Error('odd'), { code: 'constructor' }),
      { exitCode: 1, code: 'internal', expected: false },
    ],
    [
      'Ctrl-C at a prompt',
      Object.assign(new Error('User force closed the prompt'), { name: 'ExitPromptError' }),
      { exitCode: 1, code: 'cancelled', remedy: cliRemedies.cancelled, expected: true },
    ],
    [
      'a signing key whose key-encryption key others can read',
      new ForeignRefusal('the key 1 cannot be opened: kek is unsafe', 'key_not_ours', {
        cause: new ForeignRefusal('kek is unsafe', 'file_unsafe'),
      }),
      { exitCode: 1, code: 'file_unsafe', message: 'the key 1 cannot be opened: kek is unsafe', remedy: 'Wait.' },
    ],
    [
      'a signing key of another key-encryption key',
      new ForeignRefusal('x', 'key_not_ours', { cause: new ForeignRefusal('y', 'kek_unknown') }),
      { exitCode: 1, code: 'key_not_ours' },
    ],
    ['a fault', new TypeError('x is not a function'), { exitCode: 1, code: 'internal', expected: false }],
    ['a thrown string', 'boom', { exitCode: 1, code: 'internal', message: 'boom', expected: false }],
  ]
  it.each(rows)('reads %s', (_what, thrown, expected) => {
    expect(readFailure(thrown)).toMatchObject(expected)
  })

  it('has a remedy for every code', () => {
    expect(Object.keys(cliRemedies).sort()).toEqual([...cliErrorCodes].sort())
    expect(isCliError(new CliError('cancelled', 'x'))).toBe(true)
    expect(isCliError(Object.assign(new Error('x'), { name: 'CliError', code: 'other' }))).toBe(false)
  })
})
