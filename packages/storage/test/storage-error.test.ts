import { describe, expect, it } from 'vitest'
import { storageError } from '../src/sqlite/failure.ts'
import {
  isStorageError,
  StorageError,
  type StorageErrorCode,
  storageErrorCodes,
  storageRemedies,
} from '../src/sqlite.ts'

const sqlite = (code: string): Error => Object.assign(new Error('of SQLite'), { code })

describe('StorageError', () => {
  it('has a remedy for every code', () => {
    expect(Object.keys(storageRemedies)).toEqual([...storageErrorCodes])
    for (const code of storageErrorCodes) expect(new StorageError(code, '').remedy.length).toBeGreaterThan(20)
  })

  it('is known by name and code, also from another copy of the package', () => {
    class Other extends Error {
      override readonly name = 'StorageError'
      readonly code = 'full'
    }
    expect(isStorageError(new Other())).toBe(true)
    expect(isStorageError(new StorageError('busy', ''))).toBe(true)
    expect(isStorageError(Object.assign(new Error(), { name: 'StorageError', code: 'other' }))).toBe(false)
    expect(isStorageError({ name: 'StorageError', code: 'full' })).toBe(false)
  })

  const codes: [sqlite: string, code: StorageErrorCode][] = [
    ['SQLITE_BUSY', 'busy'],
    ['SQLITE_BUSY_RECOVERY', 'busy'],
    ['SQLITE_PROTOCOL', 'busy'],
    ['SQLITE_FULL', 'full'],
    ['SQLITE_IOERR_SHMSIZE', 'full'],
    ['SQLITE_IOERR_FSYNC', 'io_error'],
    ['SQLITE_IOERR_READ', 'io_error'],
    ['SQLITE_CORRUPT_INDEX', 'corrupt'],
    ['SQLITE_NOTADB', 'not_a_database'],
    ['SQLITE_READONLY_DIRECTORY', 'read_only'],
    ['SQLITE_CANTOPEN', 'cannot_open'],
    ['SQLITE_CONSTRAINT_UNIQUE', 'conflict'],
    ['SQLITE_CONSTRAINT_NOTNULL', 'invalid_value'],
    ['SQLITE_ERROR', 'failed'],
    ['ERR_OTHER', 'failed'],
  ]
  it.each(codes)('says what %s means', (code, expected) => {
    const cause = sqlite(code)
    expect(storageError(cause)).toMatchObject({ code: expected, cause })
  })
})
