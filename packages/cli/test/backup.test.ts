import { appendFile, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { loadConfig, openTokenService } from '@countersign/server'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Installation, install } from './installation.ts'

const password = 'correct horse battery'

let here: Installation
let file: string
beforeEach(async () => {
  here = await install()
  file = join(here.folder, 'saved.backup')
  await here.run(['users', 'add', 'ada'], { input: password })
})
afterEach(() => here.remove())

const failure = async (...argv: string[]) => {
  const { exitCode, stdout } = await here.run([...argv, '--json'])
  return [exitCode, JSON.parse(stdout).error?.code]
}

describe('backup', () => {
  it('writes one file for its owner, says what is in it and what is not', async () => {
    const { exitCode, stdout, stderr } = await here.run(['backup', file])
    expect([exitCode, (await stat(file)).mode & 0o777]).toEqual([0, 0o600])
    expect(stdout).toMatch(/rows {2,}\d+, read back and compared\nSHA-256 +[0-9a-f]{64}\n$/u)
    expect(stderr).toContain('The key-encryption key is not in it')
    const kek = await readFile(join(here.folder, 'data/kek'), 'utf8')
    expect(await readFile(file, 'utf8')).not.toContain(kek.trim())
    expect(await here.json(['backup', `${file}2`])).toMatchObject({ engine: 'sqlite', tables: { users: 1 } })
    expect(await readFile(join(here.folder, 'data/audit.jsonl'), 'utf8')).toMatch(
      /"action":"store.backup","actor":\{"id":"[^"]+","type":"operator"\}.*"id":"saved.backup"/u,
    )
    expect(await failure('backup', file)).toEqual([1, 'backup_exists'])
    expect(await failure('backup', join(here.folder, 'no/where'))).toEqual([1, 'ENOENT'])
  })
})

describe('restore', () => {
  it('replaces only with --force, and keeps what was there', async () => {
    await here.json(['backup', file])
    await here.run(['users', 'add', 'bob'], { input: password })
    await here.run(['users', 'set-password', 'ada'], { input: 'another one of hers' })
    await here.run(['users', 'disable', 'ada'])
    expect(await failure('restore', file)).toEqual([1, 'not_empty'])

    const { exitCode, stdout, stderr } = await here.run(['restore', file, '--force'])
    expect(exitCode).toBe(0)
    expect(stdout).toContain('everything issued before is refused')
    expect(stdout).toMatch(/user.set_password +ada +the earlier password is good again/u)
    expect(stdout).toMatch(/user.disable +ada +done again/u)
    expect(stdout).toMatch(/user.add +user_\S+ +not in the backup/u)
    expect(stderr).toContain('1 change to make again by hand')
    expect(stderr).toContain('Everybody has to sign in anew')
    expect((await here.json(['users', 'list'])).users).toMatchObject([
      { identifier: 'ada', disabledAt: expect.any(Number) },
    ])
    const kept = (await readdir(join(here.folder, 'data'))).filter((name) => name.startsWith('before-restore-'))
    expect(kept).toHaveLength(1)
    const back = await here.json(['restore', join(here.folder, 'data', kept[0] ?? ''), '--force'])
    expect(back).toMatchObject({ tables: { users: 2 }, problem: null })
  })

  it('takes a further audit log, and warns where there is none', async () => {
    await here.json(['backup', file])
    await rm(join(here.folder, 'data/countersign.db'))
    await rm(join(here.folder, 'data/audit.jsonl'))
    const { stderr } = await here.run(['restore', file])
    expect(stderr).toContain('warning: There is no audit log here')

    const { users } = (await here.json(['users', 'list'])) as { users: { id: string }[] }
    const other = join(here.folder, 'other.jsonl')
    const line = { action: 'user.disable', outcome: 'allowed', target: { type: 'user', id: users[0]?.id }, ts: 4e9 }
    await writeFile(other, `${JSON.stringify(line)}\n`)
    await appendFile(other, '{"action":"user.disable","outc')
    const restored = await here.json(['restore', file, '--force', '--audit-log', other])
    expect(restored).toMatchObject({ undone: [{ action: 'user.disable', name: 'ada', state: 'repeated' }] })
  })

  it('fails with the data back when another key-encryption key is there', async () => {
    await here.json(['backup', file])
    await rm(join(here.folder, 'data/countersign.db'))
    await rm(join(here.folder, 'data/kek'))
    const { exitCode, stdout } = await here.run(['restore', file, '--json'])
    expect([exitCode, JSON.parse(stdout).problem?.code]).toEqual([1, 'not_initialised'])
  })

  it('refuses while a service runs, and a file that is damaged', async () => {
    await here.json(['backup', file])
    const service = await openTokenService(await loadConfig({ cwd: here.folder, file: here.configFile }))
    expect(await failure('restore', file, '--force')).toEqual([1, 'in_use'])
    await service.close()
    await writeFile(file, (await readFile(file, 'utf8')).replace('"ada"', '"eve"'))
    expect(await failure('restore', file, '--force')).toEqual([1, 'backup_damaged'])
    expect(await failure('restore', here.configFile, '--force')).toEqual([1, 'not_a_backup'])
  })
})

describe('db copy', () => {
  it('says what it would do, does it, and says what it did', async () => {
    const to = `sqlite:${join(here.folder, 'copy/other.db')}`
    const planned = await here.run(['db', 'copy', '--to', to, '--dry-run'])
    expect([planned.exitCode, planned.stdout]).toEqual([0, expect.stringMatching(/will be made\n(.*\n)*users +1\n/u)])
    expect(await here.json(['db', 'copy', '--to', to, '--dry-run'])).toMatchObject({
      ready: true,
      to: { state: 'missing' },
    })
    const copied = await here.json(['db', 'copy', '--to', to])
    expect(copied).toMatchObject({ dryRun: false, tables: { users: { rows: 1 } } })
    expect(await failure('db', 'copy', '--to', to)).toEqual([1, 'not_empty'])
    expect((await here.run(['db', 'copy', '--to', to, '--dry-run'])).exitCode).toBe(1)

    const env = { COUNTERSIGN_DATABASE_URL: to }
    expect(await here.json(['users', 'list'], { env })).toMatchObject({ users: [{ identifier: 'ada' }] })
    expect((await here.json(['doctor'], { env })).ok).toBeDefined()
  })

  it.each(['--to', '--from'])('refuses a password on the command line, in %s', async (option) => {
    const url = 'postgres://auth:hunter2@localhost/auth'
    const { exitCode, stderr } = await here.run(['db', 'copy', '--to', 'sqlite:other.db', option, url])
    expect([exitCode, stderr]).toEqual([2, expect.not.stringContaining('hunter2')])
  })
})
