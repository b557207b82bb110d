import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { emptyFolder } from './installation.ts'
import { run } from './run.ts'

let folder: string
beforeEach(async () => {
  folder = await emptyFolder()
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const modeOf = async (path: string): Promise<string> => ((await stat(path)).mode & 0o777).toString(8)

describe('init', () => {
  it('makes a configuration, a private data directory, a key and a client, and says what comes next', async () => {
    const { exitCode, stdout, stderr } = await run(['init'], { cwd: folder })
    expect(exitCode).toBe(0)
    expect(stdout).toContain(join(folder, 'countersign.config.json'))
    expect(stdout).toContain('countersign users add NAME  ')
    expect(stderr).toContain('making the data directory')
    expect(await modeOf(join(folder, 'data'))).toBe('700')
    for (const file of await readdir(join(folder, 'data'))) {
      expect([file, await modeOf(join(folder, 'data', file))]).toEqual([file, '600'])
    }
    const clients = await run(['clients', 'list', '--json'], { cwd: folder })
    expect(clients.json()).toMatchObject({
      clients: [
        {
          name: 'countersign-cli',
          type: 'public',
          firstParty: true,
          refreshDelivery: 'body',
          grants: ['sign_in', 'refresh_token'],
          audiences: ['api'],
        },
      ],
    })
  })

  it('prints one document with --json, and nothing on stderr', async () => {
    const ran = await run(['init', 'auth', '--issuer', 'https://auth.example.com', '--json'], { cwd: folder })
    expect(ran.exitCode).toBe(0)
    expect(ran.json()).toEqual({
      configFile: join(folder, 'auth/countersign.config.json'),
      dataDir: join(folder, 'auth/data'),
      kekFile: join(folder, 'auth/data/kek'),
      issuer: 'https://auth.example.com',
      consumers: ['api'],
      rings: [{ name: 'tokens', activeKid: expect.stringMatching(/^[\w-]{43}$/u) }],
      client: { id: expect.stringMatching(/^client_/u), name: 'countersign-cli' },
    })
    expect(ran.stderr).toBe('')
  })

  it('takes the port of a loopback issuer', async () => {
    await run(['init', '--issuer', 'http://127.0.0.1:4777'], { cwd: folder })
    const config: unknown = JSON.parse(await readFile(join(folder, 'countersign.config.json'), 'utf8'))
    expect(config).toMatchObject({ issuer: 'http://127.0.0.1:4777', port: 4777 })
  })

  it('copies a consumer matrix, here a module, and keeps nobody from signing in to none of it', async () => {
    const module = `export const consumers = { reports: { scopes: ['reports:read'], obtainedBy: 'client-credentials' } }\n`
    await writeFile(join(folder, 'consumers.ts'), module)
    const ran = await run(['init', 'auth', '--consumers', 'consumers.ts', '--json'], { cwd: folder })
    expect(ran.exitCode).toBe(0)
    expect(ran.json()).toMatchObject({ consumers: ['reports'], client: null })
    expect(await readFile(join(folder, 'auth/consumers.ts'), 'utf8')).toBe(module)
    const check = await run(['consumers', 'check', '--json', '--config', 'auth/countersign.config.json'], {
      cwd: folder,
    })
    expect(check.json()).toMatchObject({ ok: true, consumers: ['reports'] })
  })

  it('makes a ring for each algorithm of the matrix', async () => {
    const matrix = {
      api: { scopes: ['items:read'], obtainedBy: 'sign-in' },
      old: { scopes: ['items:read'], obtainedBy: 'client-credentials', algorithm: 'ES256' },
    }
    await writeFile(join(folder, 'consumers.json'), JSON.stringify(matrix))
    const ran = await run(['init', '--consumers', 'consumers.json', '--json'], { cwd: folder })
    expect(ran.json()).toMatchObject({ rings: [{ name: 'tokens-es256' }, { name: 'tokens' }] })
  })

  it('overwrites nothing', async () => {
    await run(['init'], { cwd: folder })
    const before = await readFile(join(folder, 'data/kek'), 'utf8')
    const again = await run(['init'], { cwd: folder })
    expect(again.exitCode).toBe(1)
    expect(again.stderr).toContain('(already_exists)')
    expect(await readFile(join(folder, 'data/kek'), 'utf8')).toBe(before)
  })

  const occupied: [what: string, file: string, code: string][] = [
    ['a configuration in TypeScript', 'countersign.config.ts', 'already_exists'],
    ['something in the data directory', 'data/notes.txt', 'not_empty'],
  ]
  it.each(occupied)('leaves %s alone', async (_what, file, code) => {
    await mkdir(join(folder, 'data'))
    await writeFile(join(folder, file), 'mine')
    const ran = await run(['init', '--json'], { cwd: folder })
    expect(ran.exitCode).toBe(1)
    expect(ran.json()).toMatchObject({ error: { code } })
    expect(await readFile(join(folder, file), 'utf8')).toBe('mine')
  })

  const refused: [what: string, argv: string[], code: string][] = [
    ['an issuer over http', ['--issuer', 'http://auth.example.com'], 'config_invalid'],
    ['an issuer with a slash', ['--issuer', 'https://auth.example.com/'], 'config_invalid'],
    ['an issuer that is none', ['--issuer', 'auth'], 'config_invalid'],
    ['a consumers file that is not there', ['--consumers', 'nowhere.ts'], 'config_unreadable'],
    ['a consumers file that is no matrix', ['--consumers', 'empty.json'], 'invalid_matrix'],
  ]
  it.each(refused)('refuses %s and makes nothing', async (_what, argv, code) => {
    await writeFile(join(folder, 'empty.json'), '{}')
    const ran = await run(['init', 'auth', ...argv, '--json'], { cwd: folder })
    expect(ran.exitCode).toBe(1)
    expect(ran.json()).toMatchObject({ error: { code, remedy: expect.stringContaining(' ') } })
    expect(await readdir(folder)).toEqual(['empty.json'])
  })
})
