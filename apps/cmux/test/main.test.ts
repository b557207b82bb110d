import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { password } from './fixtures.ts'

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))
const children: ChildProcess[] = []
let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'countersign-cmux-main-'))
})
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  await rm(folder, { recursive: true, force: true })
})

interface Ran {
  readonly child: ChildProcess
  readonly exit: Promise<readonly unknown[]>
  readonly output: () => string
  readonly errors: () => string
  /** Where it is, once it says so. */
  readonly url: () => Promise<string>
}

/** Starts the program as it is, with nothing but these variables. */
function run(
  variables: Record<string, string>,
  { words = [], command = process.execPath, before = [] as string[] } = {} as {
    words?: string[]
    command?: string
    before?: string[]
  },
): Ran {
  const env = { PATH: process.env.PATH, CMUX_PORT: '0', CMUX_DATA_DIR: join(folder, 'data'), CMUX_WORKDIR: folder }
  const child = spawn(command, [...before, main, ...words], { env: { ...env, ...variables }, stdio: 'pipe' })
  children.push(child)
  let output = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  const exit = once(child, 'close')
  return {
    child,
    exit,
    output: () => output,
    errors: () => errors,
    async url() {
      for (;;) {
        const found = /cmux is at (\S+)\n/.exec(output)?.[1]
        if (found !== undefined) return found
        const came = await Promise.race([once(child.stdout, 'data'), exit.then(() => 'exit')])
        if (came === 'exit') throw new Error(`it ended: ${errors}`)
      }
    },
  }
}

async function signIn(url: string, withPassword = password): Promise<string> {
  const response = await fetch(`${url}/auth/sign-in`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ password: withPassword, scope: 'admin service' }),
  })
  expect(response.status).toBe(200)
  return ((await response.json()) as { access_token: string }).access_token
}

/** Runs a command and returns all that it printed. */
async function runCommand(url: string, token: string, argv: readonly string[]): Promise<string> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const started = await fetch(`${url}/commands`, { method: 'POST', headers, body: JSON.stringify({ argv }) })
  const { id } = (await started.json()) as { id: string }
  let mine: readonly { command?: string; type: string; text?: string }[] = []
  const newest = async (): Promise<string | undefined> => {
    const { events } = (await (await fetch(`${url}/feed`, { headers })).json()) as { events: typeof mine }
    mine = events.filter(({ command }) => command === id)
    return mine.at(-1)?.type
  }
  await expect.poll(newest).toBe('command.ended')
  return mine.map(({ text = '' }) => text).join('')
}

describe('the password', () => {
  it.each([
    ['none', {}],
    ['an empty one', { CMUX_AUTH_PASSWORD: '' }],
  ])('stops the start when there is %s, which says how to make one', async (_what, variables) => {
    const { exit, errors } = run(variables)
    expect(await exit).toEqual([2, null])
    expect(errors()).toContain('CMUX_AUTH_PASSWORD is not set')
    expect(errors()).toContain('CMUX_AUTH_PASSWORD="$(openssl rand -base64 24)" cmux')
  })

  it('stops the start when it is weak, without repeating it', async () => {
    const { exit, errors } = run({ CMUX_AUTH_PASSWORD: 'password12345678' })
    expect(await exit).toEqual([2, null])
    expect(errors()).toContain('is too weak')
    expect(errors()).toContain('openssl rand')
    expect(errors()).not.toContain('password12345678')
  })

  it('cannot be read by a command that cmux runs, in its own environment or in that of any process', async () => {
    const { url } = run({ CMUX_AUTH_PASSWORD: password })
    const at = await url()
    const token = await signIn(at)
    const printed = await runCommand(at, token, [
      'sh',
      '-c',
      'env; cat /proc/$PPID/environ /proc/$PPID/cmdline; cat /proc/[0-9]*/environ; for fd in /proc/$PPID/fd/*; do readlink $fd; done; true',
    ])
    expect(printed).toContain('TERM=dumb')
    expect(printed).toContain(main)
    expect(printed).not.toContain('CMUX_AUTH_PASSWORD=')
    expect(printed).not.toContain(password)
    // It would be found, were it there: the test is not blind.
    const planted = spawn('sleep', ['60'], { env: { PLANTED: 'plant-7c1', PATH: process.env.PATH } })
    children.push(planted)
    const found = await runCommand(at, token, ['cat', `/proc/${planted.pid}/environ`])
    expect(found).toContain('plant-7c1')
  })

  it('is taken with any characters, whatever a shell would make of them', async () => {
    const odd = `$(id)\`id\` "q" 'q' \\ \t${'é'}€ END\nEND\n$HOME  `
    const { url } = run({ CMUX_AUTH_PASSWORD: odd })
    await signIn(await url(), odd)
  })

  it('may come over a file descriptor, and its last line end is none of it', async () => {
    const { child, url } = run({ CMUX_AUTH_PASSWORD_FD: '0' })
    child.stdin?.end(`${password}\n`)
    await signIn(await url())
  })

  it.each([
    ['1', 'expected the number'],
    ['x', 'expected the number'],
    ['77', 'cannot be read'],
  ])('stops the start when the descriptor is %s', async (descriptor, message) => {
    const { exit, errors } = run({ CMUX_AUTH_PASSWORD_FD: descriptor })
    expect(await exit).toEqual([2, null])
    expect(errors()).toContain(message)
  })

  it('stops the start when a parent has it too, which it names', async () => {
    // The shell stays, since it has more to do afterwards.
    const before = ['-c', '"$0" "$@"; exit $?', process.execPath]
    const { exit, errors, child } = run({ CMUX_AUTH_PASSWORD: password }, { command: 'sh', before })
    expect(await exit).toEqual([2, null])
    expect(errors()).toContain(`process ${child.pid} (sh)`)
    expect(errors()).not.toContain(password)
  })
})

describe('the process', () => {
  it('stays the same one for whoever started it, and ends with 0 when told to, with its commands', async () => {
    const { child, exit, url } = run({ CMUX_AUTH_PASSWORD: password })
    const at = await url()
    const token = await signIn(at)
    const pid = await runCommand(at, token, ['sh', '-c', 'echo $PPID'])
    expect(Number(pid)).toBe(child.pid)
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const body = JSON.stringify({ argv: ['sh', '-c', 'echo $$; sleep 600; true'] })
    await fetch(`${at}/commands`, { method: 'POST', headers, body })
    child.kill('SIGTERM')
    expect(await exit).toEqual([0, null])
  })

  it('names a wrong variable and ends with 2; a wrong word gets the usage', async () => {
    const wrong = run({ CMUX_AUTH_PASSWORD: password, CMUX_PORT: 'x' })
    expect(await wrong.exit).toEqual([2, null])
    expect(wrong.errors()).toBe('CMUX_PORT: expected a whole number\n')
    const word = run({}, { words: ['serve', 'now'] })
    expect(await word.exit).toEqual([2, null])
    expect(word.errors()).toContain('cmux --help')
  })

  it('prints a password that it would take', async () => {
    const made = run({}, { words: ['password'] })
    expect(await made.exit).toEqual([0, null])
    const { url } = run({ CMUX_AUTH_PASSWORD: made.output().trim() })
    await signIn(await url(), made.output().trim())
  })

  it('says what to do with the data of another address', async () => {
    const first = run({ CMUX_AUTH_PASSWORD: password })
    await first.url()
    first.child.kill('SIGTERM')
    await first.exit
    const { exit, errors } = run({ CMUX_AUTH_PASSWORD: password })
    expect(await exit).toEqual([2, null])
    expect(errors()).toMatch(/CMUX_DATA_DIR: .* belongs to a cmux at another address than http:\/\/127\.0\.0\.1:\d+/)
  })
})
