import { basename } from 'node:path'
import { openAuditLog } from '@countersign/observability'
import {
  type BackupContents,
  createBackup,
  type OnProgress,
  type PortableDatabase,
  portableDatabase,
} from '@countersign/storage/backup'
import { type Clock, systemClock } from '@countersign/tokens'
import { ensureOwnDirectories } from './data-dir.ts'
import { readPassword } from './open-database.ts'
import type { ResolvedConfig } from './resolve-config.ts'

/** Who asks for it, for the audit log. */
export interface Operator {
  readonly type: 'operator'
  readonly id?: string
}

export interface BackUpOptions {
  readonly actor?: Operator
  /** @default the machine's clock */
  readonly clock?: Clock
  readonly onProgress?: OnProgress
}

/** The database of a configuration, for copies of it. @throws StorageError */
export function databaseOf(config: ResolvedConfig): Promise<PortableDatabase> {
  return databaseAt(config.databaseUrl ?? `sqlite:${config.databaseFile}`, config.databasePasswordFile)
}

/** @param passwordFile its first line counts instead of the URL's password */
export function databaseAt(address: string, passwordFile: string | undefined): Promise<PortableDatabase> {
  return portableDatabase(address, passwordFile === undefined ? {} : { password: () => readPassword(passwordFile) })
}

/**
 * Saves what a service's database holds at this instant into a new file, while the service runs. The key-encryption key
 * is not in it: without that key nothing can be signed with what is.
 *
 * @throws StorageError `not_found`, `backup_exists`, `schema_too_new`, …; ObservabilityError when it cannot be recorded
 */
export async function backUpService(
  config: ResolvedConfig,
  file: string,
  { actor = { type: 'operator' }, clock = systemClock, onProgress }: BackUpOptions = {},
): Promise<BackupContents> {
  const database = await databaseOf(config)
  await recordCopy(config, 'store.backup', actor, basename(file))
  return await createBackup(database, file, {
    now: clock.now(),
    ...(onProgress === undefined ? {} : { onProgress }),
  })
}

/** Before it is done: a copy of every hash and every sealed key must not be made unrecorded. */
export async function recordCopy(
  config: ResolvedConfig,
  action: 'store.backup' | 'store.restore' | 'store.copy',
  actor: Operator,
  what: string,
): Promise<void> {
  await ensureOwnDirectories(config)
  const audit = await openAuditLog(config.auditFile)
  try {
    await audit.record({ action, outcome: 'allowed', actor, target: { type: 'store', id: what } })
  } finally {
    await audit.close()
  }
}
