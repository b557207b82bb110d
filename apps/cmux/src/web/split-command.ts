/** Why a line is no command. */
export class CommandLineError extends Error {
  override readonly name = 'CommandLineError'
}

/**
 * The words of a line: separated by spaces, kept together by single or double quotes, a backslash takes the next
 * character as it is (not within single quotes). Nothing else means anything, since no shell reads it.
 * @throws CommandLineError for a quote that is not closed, and for a line that ends with a backslash
 */
export function splitCommand(line: string): readonly string[] {
  const words: string[] = []
  let word: string | undefined
  let quote: string | undefined
  let isEscaped = false
  for (const character of line) {
    if (isEscaped) {
      word = (word ?? '') + character
      isEscaped = false
    } else if (character === '\\' && quote !== "'") {
      isEscaped = true
    } else if (quote !== undefined) {
      if (character === quote) quote = undefined
      else word = (word ?? '') + character
    } else if (character === '"' || character === "'") {
      quote = character
      word ??= ''
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else {
      word = (word ?? '') + character
    }
  }
  if (quote !== undefined) throw new CommandLineError(`A quote (${quote}) is not closed.`)
  if (isEscaped) throw new CommandLineError('The line ends with a backslash.')
  if (word !== undefined) words.push(word)
  return words
}

/** A word as somebody would type it. */
export function quoteWord(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word
  return word.includes("'") ? `"${word.replaceAll(/["\\]/g, '\\$&')}"` : `'${word}'`
}
