import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { run } from './run.ts'
import { password, type RunningService, runService } from './running-service.ts'

const root = new URL('../../../', import.meta.url).pathname
const just = `${root}node_modules/.bin/just`

let service: RunningService
beforeAll(async () => {
  service = await runService()
})
afterAll(() => service.remove())

/** In another folder than the justfile's, as somebody who stands there. */
async function recipe(name: string, args: readonly string[] = [], input = '') {
  const child = spawn(just, ['--justfile', `${root}justfile`, '--working-directory', service.folder, name, ...args], {
    cwd: service.folder,
    env: { PATH: process.env.PATH, COUNTERSIGN_HOME: service.home },
    stdio: 'pipe',
  })
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  child.stdin.on('error', () => {}).end(input)
  await once(child, 'close')
  return { exitCode: child.exitCode, stdout, stderr }
}

/** Not every platform's binary is in the lockfile. */
const runs = spawnSync(just, ['--version']).status === 0

describe('the justfile', () => {
  it('calls commands that there are', async () => {
    const text = await readFile(`${root}justfile`, 'utf8')
    const recipes = [...text.matchAll(/^(auth-\w+) \*args:\n {4}@\{\{ quote\(countersign\) \}\} (.*) "\$@"$/gmu)]
    expect(recipes).toHaveLength(6)
    for (const [, name = '', words = ''] of recipes) {
      expect(name).toBe(words === 'credentials' ? 'auth-credentials' : words.replace(' ', '-'))
      const { exitCode, stdout } = await run([...words.split(' '), '--help'])
      expect([exitCode, stdout]).toEqual([0, expect.stringContaining(`Usage: countersign ${words} [`)])
    }
  })

  it.runIf(runs)('signs in, gives tokens, refreshes, keeps credentials and signs out', async () => {
    expect(await recipe('auth-status')).toMatchObject({ exitCode: 1, stdout: 'state  nobody is signed in\n' })
    const signedIn = await recipe('auth-login', ['--issuer', service.issuer], `ada\n${password}\n`)
    expect(signedIn).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^signed in +ada\n/u) })
    expect(await recipe('auth-token')).toEqual({
      exitCode: 0,
      stdout: expect.stringMatching(/^eyJ\S+\n$/u),
      stderr: '',
    })
    expect(await recipe('auth-refresh')).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('renewed') })
    // What follows a recipe's name reaches the command word by word.
    const put = await recipe('auth-credentials', ['put', 'a $HOME "name"'], 'x')
    expect(put).toMatchObject({ exitCode: 0, stdout: 'a $HOME "name" is stored, version 1\n' })
    expect(await recipe('auth-logout')).toMatchObject({ exitCode: 0, stdout: `signed out of ${service.issuer}\n` })
  })

  it.runIf(runs)('has a recipe for each command of `auth`, each with a word on what it does', () => {
    const { stdout } = spawnSync(just, ['--justfile', `${root}justfile`, '--list', '--unsorted'], { encoding: 'utf8' })
    const listed = [...stdout.matchAll(/^ +([\w-]+) \*args +# \S/gmu)].map(([, name]) => name)
    expect(listed).toEqual([
      'auth-login',
      'auth-status',
      'auth-token',
      'auth-refresh',
      'auth-logout',
      'auth-credentials',
    ])
  })
})
