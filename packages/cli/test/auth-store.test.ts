import { chmod, cp, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type RunningService, runService } from './running-service.ts'

let service: RunningService
beforeAll(async () => {
  service = await runService()
})
afterAll(() => service.remove())
afterEach(() => rm(service.home, { recursive: true, force: true }))

describe('a store that is not as it was', () => {
  let kept: string
  beforeAll(async () => {
    kept = join(service.folder, 'kept')
    await service.signIn()
    await cp(service.home, kept, { recursive: true })
    await chmod(kept, 0o700)
  })

  const damage: [what: string, harm: () => Promise<void>, code: string][] = [
    ['without its key', () => rm(join(service.home, 'kek')), 'store_damaged'],
    ['with another key', () => writeFile(join(service.home, 'kek'), `${'A'.repeat(43)}\n`), 'store_damaged'],
    ['with a key that is none', () => writeFile(join(service.home, 'kek'), 'rubbish\n'), 'store_damaged'],
    ['that is no database', () => overwrite('sessions.db', Buffer.alloc(8_192, 'x')), 'store_damaged'],
    ['that is cut off', () => truncate(join(service.home, 'sessions.db'), 50_000), 'store_damaged'],
    ['whose key is a link', () => linkKek(), 'file_unsafe'],
    [
      'with an altered record',
      async () => alter("sealed = replace(sealed, substr(sealed, -5), 'AAAAA')"),
      'store_damaged',
    ],
    ['with a record that is none', async () => alter("sealed = 'v1.x'"), 'store_damaged'],
    ['whose folder others can enter', () => chmod(service.home, 0o755), 'file_unsafe'],
    ['whose key others can read', () => chmod(join(service.home, 'kek'), 0o640), 'file_unsafe'],
    ['whose database others can read', () => chmod(join(service.home, 'sessions.db'), 0o644), 'file_unsafe'],
    ['whose folder is a link', () => linkHome(), 'file_unsafe'],
  ]
  it.each(damage)('%s is not used, and says what to do', async (_what, harm, code) => {
    await cp(kept, service.home, { recursive: true })
    await harm()
    for (const word of ['token', 'status']) {
      const ran = await service.run(['auth', word, '--json'])
      expect([word, ran.exitCode, ran.json()]).toMatchObject([word, 1, { error: { code } }])
      expect(ran.stderr).not.toMatch(/^\s+at /mu)
      if (code === 'store_damaged') expect(ran.stderr).toContain(`Move ${service.home} away`)
    }
  })

  it('with a damaged record can be signed out of, and in to again', async () => {
    await service.signIn()
    alter("sealed = 'v1.x'")
    expect((await service.signIn()).exitCode).toBe(0)
    alter("sealed = 'v1.x'")
    const ended = await service.run(['auth', 'logout'])
    expect(ended).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('could not be told') })
    expect((await service.run(['auth', 'status', '--json'])).json()).toMatchObject({ state: 'signed-out' })
  })
})

async function overwrite(name: string, bytes: Uint8Array): Promise<void> {
  for (const suffix of ['-wal', '-shm']) await rm(join(service.home, name + suffix), { force: true })
  await writeFile(join(service.home, name), bytes)
}

function alter(change: string): void {
  const database = new Database(join(service.home, 'sessions.db'))
  const { changes } = database.prepare(`UPDATE credentials SET ${change} WHERE name = 'session'`).run()
  database.close()
  expect(changes).toBe(1)
}

async function linkKek(): Promise<void> {
  await rename(join(service.home, 'kek'), join(service.home, 'kek-2'))
  await symlink('kek-2', join(service.home, 'kek'))
}

async function linkHome(): Promise<void> {
  await rm(service.home, { recursive: true })
  await symlink(service.folder, service.home)
}
