/**
 * What a terminal or an editor would act on instead of showing: C0 and C1 controls (escape sequences start with one),
 * line and paragraph separators, and the marks that reorder text (bidirectional overrides and isolates) or hide it.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this looks for
const acting = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu

function shown(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`
}

/** Text from a store or a token, made safe to print on one line: acting characters become visible, as in `\u{1b}`. */
export function cleanText(text: string): string {
  return text.toWellFormed().replace(acting, shown)
}

/** The same for text of several lines. */
export function cleanLines(text: string): string {
  return text
    .split(/\r?\n/u)
    .map((line) => cleanText(line))
    .join('\n')
}

/** JSON whose strings carry no acting character raw; JSON.stringify itself leaves DEL, C1 and the reordering marks. */
export function cleanJson(value: unknown): string {
  return JSON.stringify(value, null, 2).replace(
    /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
