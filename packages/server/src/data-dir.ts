import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { createKekFile, ensurePrivateDirectory } from '@countersign/sealing'
import type { ResolvedConfig } from './resolve-config.ts'
import { ServerError } from './server-error.ts'

/**
 * Makes the data directory (0700) and the key-encryption key (0600) of a new token service.
 * @throws ServerError `already_initialised` when there is a key-encryption key or a database already
 */
export async function createDataDir(config: ResolvedConfig): Promise<void> {
  for (const file of [config.kekFile, config.databaseFile]) {
    if (existsSync(file)) throw new ServerError('already_initialised', `${file} exists already.`)
  }
  await ensurePrivateDirectory(config.dataDir)
  for (const file of [config.kekFile, config.databaseFile, config.auditFile])
    await ensurePrivateDirectory(dirname(file))
  await createKekFile(config.kekFile)
}

/**
 * A key-encryption key is never made silently: beside a database, a new one could not open its keys.
 * @throws ServerError `not_initialised`
 */
export function requireDataDir(config: ResolvedConfig): void {
  if (!existsSync(config.kekFile)) {
    throw new ServerError('not_initialised', `There is no key-encryption key at ${config.kekFile}.`)
  }
}
