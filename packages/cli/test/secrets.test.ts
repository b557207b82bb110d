import { Readable } from 'node:stream'
import { stripVTControlCharacters } from 'node:util'
import { systemClock } from '@countersign/tokens'
import { describe, expect, it } from 'vitest'
import type { CliIo } from '../src/index.ts'
import { inputLimitBytes, readSecret } from '../src/read-secret.ts'
import { readToken } from '../src/read-token.ts'
import { terminal } from './run.ts'

function ioWith(stdin: CliIo['stdin'], stderr: CliIo['stderr'] = terminal()): CliIo {
  return {
    stdin,
    stderr,
    stdout: terminal(),
    env: {},
    cwd: '/',
    clock: systemClock,
    fetch: globalThis.fetch,
    onStop: () => () => {},
  }
}

const prompt = { what: 'password', message: 'Password' }

describe('a secret on stdin', () => {
  const accepted: [what: string, input: string, secret: string][] = [
    ['as it is', 'correct horse', 'correct horse'],
    ['without the line ending of echo', 'correct horse\n', 'correct horse'],
    ['without a line ending of Windows', 'correct horse\r\n', 'correct horse'],
    ['with its spaces', '  x  \n', '  x  '],
    ['with a byte order mark that belongs to it', '\ufeffx', '\ufeffx'],
  ]
  it.each(accepted)('is read %s', async (_what, input, secret) => {
    expect(await readSecret(ioWith(Readable.from([input])), prompt)).toBe(secret)
  })

  it('is read whole when a character is cut between two chunks', async () => {
    const bytes = new TextEncoder().encode('ü')
    const stdin = Readable.from([bytes.subarray(0, 1), bytes.subarray(1)])
    expect(await readSecret(ioWith(stdin), prompt)).toBe('ü')
  })

  const refused: [what: string, input: string | Uint8Array, message: string][] = [
    ['nothing', '', 'No password was given.'],
    ['an empty line', '\n', 'No password was given.'],
    ['several lines', 'one\ntwo\n', 'The password on standard input has several lines.'],
    ['two line endings', 'one\n\n', 'The password on standard input has several lines.'],
    ['bytes that are no UTF-8', Uint8Array.of(0xff, 0xfe), 'The password is not valid UTF-8.'],
    ['more than the limit', 'x'.repeat(inputLimitBytes + 1), 'The password is longer than 65,536 bytes.'],
  ]
  it.each(refused)('refuses %s', async (_what, input, message) => {
    const stdin = Readable.from([input])
    await expect(readSecret(ioWith(stdin), prompt)).rejects.toMatchObject({ code: 'bad_input', message })
  })
})

describe('a secret at a prompt', () => {
  it('is asked for twice and never shown', async () => {
    const person = sitDown()
    const asked = readSecret(person.io, { ...prompt, confirm: true })
    await person.answer('Password', 'tr0ub4dor&3')
    await person.answer('Password again', 'tr0ub4dor&3')
    expect(await asked).toBe('tr0ub4dor&3')
    expect(person.shown()).not.toContain('tr0ub')
  })

  it('is refused when the two entries differ', async () => {
    const person = sitDown()
    const asked = readSecret(person.io, { ...prompt, confirm: true }).catch((error: unknown) => error)
    await person.answer('Password', 'one')
    await person.answer('Password again', 'two')
    expect(await asked).toMatchObject({ code: 'bad_input', message: 'The two entries differ.' })
  })

  it('is refused when it is empty', async () => {
    const person = sitDown()
    const asked = readSecret(person.io, prompt).catch((error: unknown) => error)
    await person.answer('Password', '')
    expect(await asked).toMatchObject({ code: 'bad_input', message: 'No password was given.' })
  })
})

/** Somebody at a terminal, who answers a prompt when it shows. */
function sitDown(): { io: CliIo; shown: () => string; answer: (prompt: string, line: string) => Promise<void> } {
  const [stdin, stderr] = [terminal(), terminal()]
  let shown = ''
  stderr.on('data', (chunk) => {
    shown += String(chunk)
  })
  return {
    io: ioWith(stdin, stderr),
    shown: () => shown,
    async answer(text, line) {
      await expect.poll(() => stripVTControlCharacters(shown), { interval: 5 }).toContain(text)
      stdin.write(`${line}\n`)
    },
  }
}

describe('a token on stdin', () => {
  it('keeps everything but one final line ending, for the checks to see', async () => {
    expect(await readToken(ioWith(Readable.from([' a.b.c\n\n'])), undefined)).toBe(' a.b.c\n')
  })
})
