const longestReason = 256
/** What would forge a line of a log, or hide in one. */
const unreadable = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u

/** Why somebody did something, in their own words, as the audit log takes it: 1 to 256 printable characters. */
export function isReason(text: string): boolean {
  return text.length <= longestReason && text.trim() !== '' && !unreadable.test(text)
}
