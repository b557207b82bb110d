import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { createKekFile, createPrivateFile, ensurePrivateDirectory } from '@countersign/sealing'
import type { ResolvedConfig } from './resolve-config.ts'
import { ServerError } from './server-error.ts'

/**
 * Makes the data directory (0700), the key-encryption key and an empty database (0600) of a new token service.
 * @throws ServerError `already_initialised` when there is a key-encryption key or a database already
 */
export async function createDataDir(config: ResolvedConfig): Promise<void> {
  for (const file of [config.kekFile, config.databaseFile]) {
    if (existsSync(file)) throw new ServerError('already_initialised', `${file} exists already.`)
  }
  await ensureOwnDirectories(config)
  await ensurePrivateDirectory(dirname(config.kekFile))
  await createKekFile(config.kekFile)
  await createPrivateFile(config.databaseFile, new Uint8Array())
}

/**
 * Neither is ever made silently: beside a database, a new key-encryption key could not open its keys; and without its
 * database (a volume that is not mounted) a service would begin anew, with other keys and no users.
 * @throws ServerError `not_initialised`; SealingError `file_unsafe` for a directory that others can enter, or a link
 */
export async function requireDataDir(config: ResolvedConfig): Promise<void> {
  if (!existsSync(config.kekFile)) {
    throw new ServerError('not_initialised', `There is no key-encryption key at ${config.kekFile}.`)
  }
  if (!existsSync(config.databaseFile)) {
    throw new ServerError('not_initialised', `There is no database at ${config.databaseFile}.`)
  }
  await ensureOwnDirectories(config)
}

/**
 * The key-encryption key may rest elsewhere, in a directory that is not ours to judge.
 * @throws SealingError `file_unsafe`
 */
export async function ensureOwnDirectories(config: ResolvedConfig): Promise<void> {
  const own = new Set([config.dataDir, dirname(config.databaseFile), dirname(config.auditFile)])
  for (const directory of own) await ensurePrivateDirectory(directory)
}
