import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { createKekFile, createPrivateFile, ensurePrivateDirectory } from '@countersign/sealing'
import { createPostgresTables } from './open-database.ts'
import type { ResolvedConfig } from './resolve-config.ts'
import { ServerError } from './server-error.ts'

export interface DataDirOptions {
  /** `given`: from elsewhere, so that no file is made or missed. @default 'file' */
  readonly kek?: 'file' | 'given'
}

/**
 * Makes the data directory (0700), the key-encryption key and an empty database (0600) of a new token service. In
 * PostgreSQL it makes the tables; a key-encryption key that is there already, since every instance needs the same one,
 * stays then.
 * @throws ServerError `already_initialised` when there is a key-encryption key or a database already; StorageError
 */
export async function createDataDir(config: ResolvedConfig, { kek = 'file' }: DataDirOptions = {}): Promise<void> {
  const { databaseFile, databaseUrl, kekFile } = config
  if (databaseUrl === undefined) {
    for (const file of kek === 'file' ? [kekFile, databaseFile] : [databaseFile]) {
      if (existsSync(file)) throw new ServerError('already_initialised', `${file} exists already.`)
    }
  }
  await ensureOwnDirectories(config)
  // The tables first: beside those of another service a new key-encryption key would open nothing.
  if (databaseUrl !== undefined) await createPostgresTables(config, databaseUrl)
  if (kek === 'file' && !existsSync(kekFile)) {
    await ensurePrivateDirectory(dirname(kekFile))
    await createKekFile(kekFile)
  }
  if (databaseUrl === undefined) await createPrivateFile(databaseFile, new Uint8Array())
}

/**
 * Neither is ever made silently: beside a database, a new key-encryption key could not open its keys; and without its
 * database (a volume that is not mounted) a service would begin anew, with other keys and no users.
 * @throws ServerError `not_initialised`; SealingError `file_unsafe` for a directory that others can enter, or a link
 */
export async function requireDataDir(config: ResolvedConfig, { kek = 'file' }: DataDirOptions = {}): Promise<void> {
  if (kek === 'file' && !existsSync(config.kekFile)) {
    throw new ServerError('not_initialised', `There is no key-encryption key at ${config.kekFile}.`)
  }
  if (config.databaseUrl === undefined && !existsSync(config.databaseFile)) {
    throw new ServerError('not_initialised', `There is no database at ${config.databaseFile}.`)
  }
  await ensureOwnDirectories(config)
}

/**
 * The key-encryption key may rest elsewhere, in a directory that is not ours to judge.
 * @throws SealingError `file_unsafe`
 */
export async function ensureOwnDirectories(config: ResolvedConfig): Promise<void> {
  const files = [config.auditFile, ...(config.databaseUrl === undefined ? [config.databaseFile] : [])]
  const own = new Set([config.dataDir, ...files.map((file) => dirname(file))])
  for (const directory of own) await ensurePrivateDirectory(directory)
}
