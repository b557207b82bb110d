import pg from 'pg'
import { StorageError } from '../storage-error.ts'

const int8 = 20

/** 64-bit integers as numbers: instants and counters stay far below 2^53. */
export const typeParsers: pg.CustomTypesConfig = {
  getTypeParser: (oid, format) => (oid === int8 ? Number : pg.types.getTypeParser(oid, format)),
}

/** @throws StorageError `invalid_value` for text that PostgreSQL cannot store, or for what is no value at all */
export function checkValue(value: unknown): void {
  if (typeof value === 'string') {
    if (!value.isWellFormed() || value.includes('\0')) {
      throw new StorageError('invalid_value', 'Text must be well-formed Unicode without NUL.')
    }
    return
  }
  if (value === null || typeof value === 'number') return
  throw new StorageError('invalid_value', `What is stored must be text, a number or null, not ${typeof value}.`)
}
