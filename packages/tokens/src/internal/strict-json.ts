/** Deepest nesting of arrays and objects in a token, and most members and elements in all. */
export const jsonBounds: { readonly depth: number; readonly entries: number } = { depth: 8, entries: 512 }

const quote = 0x22
const colon = 0x3a
const backslash = 0x5c

/** True if an odd number of backslashes stands before this place. */
function isEscaped(text: string, place: number): boolean {
  let at = place - 1
  while (text.charCodeAt(at) === backslash) at--
  return (place - at) % 2 === 0
}

/** Colons outside strings: as many as there are members. The text is known to be well-formed JSON. */
function countMembers(text: string): number {
  const mayEscape = text.includes('\\')
  let count = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === colon) count++
    else if (code === quote) {
      at = text.indexOf('"', at + 1)
      while (mayEscape && isEscaped(text, at)) at = text.indexOf('"', at + 1)
    }
  }
  return count
}

interface Walk {
  members: number
  entries: number
}

/** Freezes from the leaves up. False when a bound is passed or a member could reach a prototype. */
function seal(value: object, depth: number, walk: Walk): boolean {
  if (depth > jsonBounds.depth || Object.hasOwn(value, '__proto__')) return false
  const inner: unknown[] = Array.isArray(value) ? value : Object.values(value)
  walk.entries += inner.length
  if (walk.entries > jsonBounds.entries) return false
  if (inner !== value) walk.members += inner.length
  for (const one of inner) {
    if (typeof one === 'object' && one !== null && !seal(one, depth + 1, walk)) return false
  }
  Object.freeze(value)
  return true
}

/**
 * Parses a JSON object as a token may contain it: duplicate member names (RFC 8725 section 2.4, RFC 7515 section 4),
 * a `__proto__` member, nesting past 8 and more than 512 entries are refused.
 *
 * @returns the object, deeply frozen, or `undefined`
 */
export function parseStrictObject(text: string): Readonly<Record<string, unknown>> | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const walk: Walk = { members: 0, entries: 0 }
  // JSON.parse keeps the last of two equal names, so a dropped one shows as a colon too many.
  if (!seal(value, 1, walk) || countMembers(text) !== walk.members) return undefined
  return value as Record<string, unknown>
}
