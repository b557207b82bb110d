import { jsonBounds } from './read-json.ts'

/** Up to here no text has more entries than are allowed: one takes two characters at least. */
const longestCompact = 2 * jsonBounds.entries

/** Decimal digits of whole numbers below these. */
const powersOfTen: readonly number[] = Array.from({ length: 16 }, (_, index) => 10 ** (index + 1))

/**
 * Characters of the shortest JSON text of a whole number, not negative; NaN for others. With an exponent a number is
 * shorter only if it ends in three zeros.
 */
function shortestNumber(value: number): number {
  if (!Number.isSafeInteger(value) || value < 0 || (value % 1000 === 0 && value !== 0)) return Number.NaN
  let digits = 1
  while (value >= (powersOfTen[digits - 1] as number)) digits++
  return digits
}

/** The same of any value that was parsed from text without escapes; what is nested is frozen. */
function shortest(value: unknown, depth: number): number {
  if (typeof value === 'string') return value.length + 2
  if (typeof value === 'number') return shortestNumber(value)
  if (typeof value === 'object' && value !== null) return shortestInside(value, depth)
  return value === false ? 5 : 4
}

/** Freezes from the leaves up. NaN where the length is not known or a bound is passed. */
function shortestInside(value: object, depth: number): number {
  if (depth > jsonBounds.depth) return Number.NaN
  // The brackets, and between every two entries a comma.
  let length = 1
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) length += shortest(value[index], depth + 1) + 1
  } else {
    for (const name in value) {
      if (name === '__proto__') return Number.NaN
      length += name.length + 3 + shortest((value as Record<string, unknown>)[name], depth + 1) + 1
    }
  }
  Object.freeze(value)
  return length === 1 ? 2 : length
}

/**
 * Freezes a value, deeply, if its text is the shortest that says the same: such text has no room for a member that the
 * parser dropped, its depth and entries are within bounds, and no member is called `__proto__`.
 *
 * @param value what `JSON.parse` made of the text
 * @param text without escapes
 * @returns false where that is not certain; parts may be frozen then
 */
export function sealCompact(value: object, text: string): boolean {
  return text.length <= longestCompact && shortestInside(value, 1) === text.length
}
