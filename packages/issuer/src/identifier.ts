/** A surrogate without its other half: no Unicode text. */
export const halfCharacter: RegExp = /\p{Cs}/u

const maxLength = 254
// Control, format (bidirectional overrides, zero-width), unassigned, private and separator characters.
const unusable = /[\p{C}\p{Z}]/u

/**
 * What a person typed, in the one form that is stored and compared: NFKC, trimmed, lower case.
 * @returns undefined if it cannot be an identifier
 */
export function normaliseIdentifier(text: string): string | undefined {
  if (text.length > 4 * maxLength || halfCharacter.test(text)) return undefined
  const normal = text.normalize('NFKC').trim().toLowerCase().normalize('NFKC')
  return normal.length === 0 || normal.length > maxLength || unusable.test(normal) ? undefined : normal
}
