import { sealCompact } from './compact-json.ts'
import { jsonBounds, readJson } from './read-json.ts'

const quote = 0x22
const colon = 0x3a

/** DEL is the one control character that JSON lets into a string as it is (RFC 8259 section 7). */
const del = '\x7f'

/** True for JSON text, ASCII only, in whose strings every character is printable. */
export function holdsPrintable(text: string): boolean {
  return !text.includes('\\') && !text.includes(del)
}

/** Colons outside strings: as many as there are members. The text is well-formed JSON without a backslash. */
function countMembers(text: string): number {
  let count = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === colon) count++
    else if (code === quote) at = text.indexOf('"', at + 1)
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
 * @param prepare called before the object is frozen; it may change values, and adds and takes no members
 * @returns the object, deeply frozen, or `undefined`
 */
export function parseStrictObject(
  text: string,
  prepare?: (members: Record<string, unknown>) => void,
): Readonly<Record<string, unknown>> | undefined {
  // Escapes are rare in tokens, and for member names the engine's own parser is not to be trusted with them.
  const escaped = text.includes('\\')
  let value: unknown
  try {
    value = escaped ? readJson(text) : JSON.parse(text)
  } catch {
    // Not JSON, so no object either.
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const walk: Walk = { members: 0, entries: 0 }
  // JSON.parse keeps the last of two equal names, so a dropped one shows as a colon too many.
  if (!escaped) prepare?.(value as Record<string, unknown>)
  // Nearly every token's claims; any other text is looked at member by member.
  if (!escaped && sealCompact(value, text)) return value as Record<string, unknown>
  if (!escaped && (!seal(value, 1, walk) || countMembers(text) !== walk.members)) return undefined
  return value as Record<string, unknown>
}
