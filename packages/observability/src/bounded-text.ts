/** Replaces halves of characters (lone surrogates), which cannot be written as UTF-8. */
export function wellFormed(text: string): string {
  return /[\ud800-\udfff]/.test(text) ? text.replace(/\p{Surrogate}/gu, '\ufffd') : text
}

/** Cuts at `length` UTF-16 units, the ellipsis included. */
export function bounded(text: string, length: number): string {
  return text.length <= length ? text : `${wellFormed(text.slice(0, length - 1))}…`
}
