export { openPostgres, type PostgresDatabase, type PostgresStatistics } from './postgres/open.ts'
export type { PostgresEvent, PostgresOptions } from './postgres/options.ts'
export type { PostgresTls, TlsMode } from './postgres/tls.ts'
export type { StorageClock } from './sqlite/clock.ts'
export {
  isStorageError,
  StorageError,
  type StorageErrorCode,
  storageErrorCodes,
  storageRemedies,
} from './storage-error.ts'
export type { Stores } from './stores.ts'
