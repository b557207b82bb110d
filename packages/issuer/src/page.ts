import type { Page } from './account-types.ts'
import { IssuerError } from './errors.ts'

/** The largest page. */
const mostInPage = 1_000

/** @throws IssuerError `invalid_option` */
export function pageLimit(limit = 100): number {
  if (!Number.isInteger(limit) || limit < 1 || limit > mostInPage) {
    throw new IssuerError('invalid_option', 'limit: expected a whole number from 1 to 1,000')
  }
  return limit
}

/**
 * Everything that a list has, read in pages of 1,000.
 *
 * @example Every user
 * const users = await allPages(issuer.users.list, ({ identifier }) => identifier)
 */
export async function allPages<T>(
  list: (page: Page) => Promise<readonly T[]>,
  /** What the page behind an entry is asked for by: a user's identifier, a client's name. */
  nameOf: (entry: T) => string,
): Promise<readonly T[]> {
  const all: T[] = []
  for (;;) {
    const last = all.at(-1)
    const page = await list({ limit: mostInPage, ...(last === undefined ? {} : { after: nameOf(last) }) })
    all.push(...page)
    if (page.length < mostInPage) return all
  }
}
