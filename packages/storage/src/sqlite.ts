export type { StorageClock } from './sqlite/clock.ts'
export { openSqlite, type SqliteDatabase } from './sqlite/open.ts'
export type { SqliteEvent, SqliteOptions } from './sqlite/options.ts'
export type { WriterStatistics } from './sqlite/writer-client.ts'
export {
  isStorageError,
  StorageError,
  type StorageErrorCode,
  storageErrorCodes,
  storageRemedies,
} from './storage-error.ts'
export type { Stores } from './stores.ts'
