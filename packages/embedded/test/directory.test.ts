import { chmod, mkdir, readdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createKekFile, kekFromFile, keks } from '@countersign/sealing'
import { describe, expect, it } from 'vitest'
import {
  type AuthConfig,
  AuthModuleError,
  authModuleErrorCodes,
  authModuleRemedies,
  createAuthModule,
  isAuthModuleError,
} from '../src/index.ts'
import { password, secretKey, signedIn, surroundings } from './fixture.ts'

const around = surroundings()

async function linked(file: string): Promise<void> {
  await rename(file, `${file}-2`)
  await symlink(`${file}-2`, file)
}

describe('the directory', () => {
  it('is made for its owner alone', async () => {
    await around.open({ dataDir: join(around.dataDir, 'below', 'it') })
    expect((await stat(join(around.dataDir, 'below', 'it'))).mode & 0o777).toBe(0o700)
    for (const file of await readdir(join(around.dataDir, 'below', 'it'))) {
      expect((await stat(join(around.dataDir, 'below', 'it', file))).mode & 0o077, file).toBe(0)
    }
  })

  it('keeps accounts, sessions, keys and credentials over a restart', async () => {
    const before = await around.open()
    await before.users.add('ada', password)
    const key = await before.apiKeys.create('ci')
    const { token, refreshToken } = await signedIn(before)
    await before.storeCredential('github', Buffer.from('ghp_1'))
    await before.close()
    const after = await around.open()
    expect(await after.validateToken(token)).toMatchObject({ scopes: ['tools:read', 'tools:run'] })
    expect(await after.refreshToken(refreshToken ?? '')).toMatchObject({ success: true })
    expect(await after.authenticate('ci', key.secret)).toMatchObject({ success: true })
    expect(Buffer.from((await after.getCredential('github')) ?? []).toString()).toBe('ghp_1')
  })

  it('is shared by several modules, which begin at once and learn what the others revoke', async () => {
    const modules = await Promise.all([around.open(), around.open(), around.open()])
    const [one, other] = modules
    if (one === undefined || other === undefined) throw new Error('not opened')
    await one.users.add('ada', password)
    const { token } = await signedIn(other)
    for (const auth of modules) expect(await auth.validateToken(token)).not.toBeNull()
    await one.users.disable('ada')
    for (const auth of modules) await expect.poll(() => auth.validateToken(token)).toBeNull()
  })

  it('that was begun with another key, or for another issuer, is refused', async () => {
    const own = { secretKey } as const
    await (await around.open(own)).close()
    const wrong: [AuthConfig, string][] = [
      [{ secretKey: `${secretKey}!` }, 'kek_wrong'],
      [{}, 'data_incomplete'],
      [{ ...own, issuer: 'https://auth.example.com' }, 'other_issuer'],
    ]
    for (const [config, code] of wrong) {
      const error = await around.open(config).catch((caught: unknown) => caught)
      expect(isAuthModuleError(error) && error.code, code).toBe(code)
    }
    await around.open(own)
  })

  it('moves from a file of a key to another source, which opens with both', async () => {
    const before = await around.open()
    await before.storeCredential('github', Buffer.from('ghp_1'))
    await before.close()
    await expect(around.open({ secretKey })).rejects.toMatchObject({ code: 'kek_wrong' })
    const next = `${around.dataDir}-kek`
    await createKekFile(next)
    await expect(around.open({ kek: kekFromFile(next) })).rejects.toMatchObject({ code: 'kek_wrong' })
    const after = await around.open({ kek: keks(kekFromFile(next), kekFromFile(join(around.dataDir, 'kek'))) })
    expect(await after.getCredential('github')).not.toBeNull()
    expect(await after.rewrap()).toMatchObject({ credentials: 1, failed: [] })
    expect(await after.rewrap()).toEqual({ signingKeys: 0, credentials: 0, failed: [] })
    await after.close()
    const later = await around.open({ kek: kekFromFile(next) })
    expect(await later.getCredential('github')).not.toBeNull()
  })

  it('is never completed when a part of it is missing', async () => {
    await (await around.open()).close()
    await rm(join(around.dataDir, 'kek'))
    await expect(around.open()).rejects.toMatchObject({ code: 'data_incomplete' })
  })

  it('that others can enter is refused', async () => {
    await mkdir(around.dataDir, { mode: 0o755 })
    await expect(around.open()).rejects.toMatchObject({ code: 'file_unsafe' })
  })

  const harms: [why: string, harm: (kek: string) => Promise<void>, code: string][] = [
    ['can be read by others', (kek) => chmod(kek, 0o640), 'file_unsafe'],
    ['is a link', linked, 'file_unsafe'],
    ['holds no key', (kek) => writeFile(kek, 'rubbish'), 'kek_invalid'],
  ]
  it.each(harms)('whose key-encryption key %s is refused, and says so', async (_why, harm, code) => {
    await (await around.open()).close()
    await harm(join(around.dataDir, 'kek'))
    await expect(around.open()).rejects.toMatchObject({ name: 'SealingError', code })
  })

  it('whose database is a link is refused', async () => {
    await (await around.open()).close()
    await linked(join(around.dataDir, 'countersign.db'))
    await expect(around.open()).rejects.toMatchObject({ name: 'StorageError' })
  })
})

describe('options', () => {
  const dataDir = 'data'
  const wrong: [why: string, config: unknown, code: string][] = [
    ['none', undefined, 'bad_option'],
    ['no directory', {}, 'bad_option'],
    ['two directories', { dataDir, credentialStoragePath: dataDir }, 'bad_option'],
    ['one that there is not', { dataDir, expiry: 1 }, 'bad_option'],
    ['a life that is too short', { dataDir, tokenExpirySeconds: 59 }, 'bad_option'],
    ['a life that is too long', { dataDir, tokenExpirySeconds: 604_801 }, 'bad_option'],
    ['another algorithm', { dataDir, algorithm: 'none' }, 'bad_option'],
    ['HS256 without a secret', { dataDir, algorithm: 'HS256' }, 'bad_option'],
    ['a short secret', { dataDir, algorithm: 'HS256', secretKey: 'a'.repeat(31) }, 'weak_secret_key'],
    ['an issuer without https', { dataDir, issuer: 'http://auth.example.com' }, 'bad_option'],
    ['a scope of another form', { dataDir, scopes: ['Everything'] }, 'bad_option'],
    ['no scope', { dataDir, scopes: [] }, 'bad_option'],
    ['an audience that begins as a key', { dataDir, audience: 'key.mine' }, 'bad_option'],
    ['a resource that is no URL', { dataDir, resource: 'here' }, 'bad_option'],
  ]
  it.each(wrong)('that are wrong are refused before anything is made: %s', async (_why, config, code) => {
    await expect(createAuthModule(config as AuthConfig)).rejects.toMatchObject({ name: 'AuthModuleError', code })
  })

  it('take the directory by its other name, and scopes with what they do', async () => {
    const auth = await createAuthModule({
      credentialStoragePath: around.dataDir,
      scopes: { 'notes:read': {}, 'notes:write': { sideEffects: true, sensitive: true } },
    })
    expect(auth.guard.scopes).toEqual(['notes:read', 'notes:write'])
    await auth.close()
  })
})

describe('a closed module', () => {
  it('answers nothing more, however often it is closed', async () => {
    const auth = await around.open()
    await Promise.all([auth.close(), auth.close()])
    const calls: (() => unknown)[] = [
      () => auth.authenticate('ada', password),
      () => auth.validateToken('a.b.c'),
      () => auth.refreshToken('cs_refresh_a'),
      () => auth.signOut('a.b.c'),
      () => auth.storeCredential('a', Buffer.from('b')),
      () => auth.getCredential('a'),
      async () => auth.credentials('ada'),
      async () => auth.webSocket(),
    ]
    for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'closed' })
    await expect(auth.users.add('ada', password)).rejects.toThrow()
  })
})

describe('errors', () => {
  it('have a remedy each, and are known across copies', () => {
    for (const code of authModuleErrorCodes) {
      const error = new AuthModuleError(code, 'message')
      expect(error.remedy).toBe(authModuleRemedies[code])
      expect(isAuthModuleError(error)).toBe(true)
    }
    const copied = Object.assign(new Error('message'), { name: 'AuthModuleError', code: 'closed' })
    expect(isAuthModuleError(copied)).toBe(true)
    expect(isAuthModuleError(Object.assign(new Error('message'), { code: 'closed' }))).toBe(false)
  })
})
