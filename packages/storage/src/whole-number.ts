import { StorageError } from './storage-error.ts'

/** An option that must be a whole number from `least` to `most`. @throws StorageError `invalid_value` */
export function wholeNumber(name: string, value: unknown, least: number, most: number): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least && value <= most) return value
  throw new StorageError('invalid_value', `${name} must be a whole number from ${least} to ${most}, not ${value}.`)
}
