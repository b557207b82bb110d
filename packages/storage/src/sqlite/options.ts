import { StorageError } from '../storage-error.ts'
import { machineClock, type StorageClock } from './clock.ts'

/** What a database reports. */
export type SqliteEvent =
  /** The schema was brought up to date when the database was opened. */
  | { readonly type: 'migrated'; readonly from: number; readonly to: number }
  /** Nothing can be written any more (`io_error`, `writer_lost`): end the process, and let it start anew. */
  | { readonly type: 'fatal'; readonly error: StorageError }

export interface SqliteOptions {
  /** Milliseconds that a call waits for the locks of other processes before it fails as `busy`, 0 to 60,000. @default 5000 */
  readonly busyTimeoutMs?: number
  /** The most writes in one transaction, 1 to 10,000. @default 256 */
  readonly maxBatch?: number
  /** More writes than this waiting are refused as `busy`, 1 to 1,000,000. @default 10000 */
  readonly maxPending?: number
  /** The database file grows no further than this many bytes (`full`), from 65,536. @default no limit but the disk */
  readonly maxBytes?: number
  /** Milliseconds between two looks for the writes of others, 10 to 60,000. @default 100 */
  readonly pollIntervalMs?: number
  readonly clock?: StorageClock
  readonly onEvent?: (event: SqliteEvent) => void
}

export interface SqliteSettings {
  readonly busyTimeoutMs: number
  readonly maxBatch: number
  readonly maxPending: number
  readonly maxBytes: number | null
  readonly pollIntervalMs: number
  readonly clock: StorageClock
  readonly onEvent: (event: SqliteEvent) => void
}

export function readOptions(options: SqliteOptions): SqliteSettings {
  return {
    busyTimeoutMs: whole('busyTimeoutMs', options.busyTimeoutMs ?? 5_000, 0, 60_000),
    maxBatch: whole('maxBatch', options.maxBatch ?? 256, 1, 10_000),
    maxPending: whole('maxPending', options.maxPending ?? 10_000, 1, 1_000_000),
    maxBytes:
      options.maxBytes === undefined ? null : whole('maxBytes', options.maxBytes, 65_536, Number.MAX_SAFE_INTEGER),
    pollIntervalMs: whole('pollIntervalMs', options.pollIntervalMs ?? 100, 10, 60_000),
    clock: options.clock ?? machineClock,
    onEvent: options.onEvent ?? (() => {}),
  }
}

function whole(name: string, value: unknown, least: number, most: number): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most) return value
  throw new StorageError('invalid_value', `${name} must be a whole number from ${least} to ${most}, not ${value}.`)
}
