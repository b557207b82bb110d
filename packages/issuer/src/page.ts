import { IssuerError } from './errors.ts'

/** @throws IssuerError `invalid_option` */
export function pageLimit(limit = 100): number {
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw new IssuerError('invalid_option', 'limit: expected a whole number from 1 to 1,000')
  }
  return limit
}
