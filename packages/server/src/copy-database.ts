import {
  type Copied,
  type CopyPlan,
  copyDatabase,
  type OnProgress,
  type PortableDatabase,
  planCopy,
} from '@countersign/storage/backup'
import { databaseAt, databaseOf, type Operator, recordCopy } from './back-up-service.ts'
import type { ResolvedConfig } from './resolve-config.ts'

export interface CopyOptions {
  /** Address of the database to copy. @default the configuration's own */
  readonly from?: string
  /** A file (0600) with the password for `from`, one line. */
  readonly fromPasswordFile?: string
  /** Address of an empty database, or of one that is not there yet. */
  readonly to: string
  /** A file (0600) with the password for `to`, one line. */
  readonly toPasswordFile?: string
  readonly actor?: Operator
  readonly onProgress?: OnProgress
}

/** What {@link copyServiceDatabase} would do; changes nothing. @throws StorageError */
export async function planServiceCopy(config: ResolvedConfig, options: CopyOptions): Promise<CopyPlan> {
  const { from, to } = await both(config, options)
  return await planCopy(from, to)
}

/**
 * Copies a service's database to another, sessions with it. No service may run on either.
 * @throws StorageError `in_use`, `not_empty`, …: nothing was stored then
 */
export async function copyServiceDatabase(config: ResolvedConfig, options: CopyOptions): Promise<Copied> {
  const { from, to } = await both(config, options)
  await recordCopy(config, 'store.copy', options.actor ?? { type: 'operator' }, to.place)
  return await copyDatabase(from, to, options.onProgress)
}

async function both(
  config: ResolvedConfig,
  { from, fromPasswordFile, to, toPasswordFile }: CopyOptions,
): Promise<{ readonly from: PortableDatabase; readonly to: PortableDatabase }> {
  return {
    from: from === undefined ? await databaseOf(config) : await databaseAt(from, fromPasswordFile),
    to: await databaseAt(to, toPasswordFile),
  }
}
