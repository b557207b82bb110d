/** What canonical JSON is made of. */
export type CanonicalValue =
  | string
  | number
  | boolean
  | null
  | readonly CanonicalValue[]
  | { readonly [name: string]: CanonicalValue }

/** DEL and C1 controls, line and paragraph separators, direction marks: they could forge a line in a terminal. */
const unprintable = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g

function writeString(text: string): string {
  return JSON.stringify(text).replace(
    unprintable,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/**
 * One text for one value: members in the order of their names' UTF-16 code units, no spaces, numbers as JavaScript writes
 * them (so far as in RFC 8785), and the few characters escaped that JSON would let through although they change how a
 * line looks. Parsing the text and writing it again gives the same text, which signatures over it will need.
 */
export function canonicalJson(value: CanonicalValue): string {
  if (typeof value === 'string') return writeString(value)
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (isList(value)) return `[${value.map(canonicalJson).join(',')}]`
  const members = Object.keys(value)
    .sort()
    .map((name) => `${writeString(name)}:${canonicalJson(value[name] ?? null)}`)
  return `{${members.join(',')}}`
}

function isList(value: CanonicalValue): value is readonly CanonicalValue[] {
  return Array.isArray(value)
}
