export interface Match {
  readonly path: string
  /** From 1. */
  readonly line: number
  readonly text: string
}

const longestShown = 300

/** The lines that have the words in them, as they are: no pattern, so that none takes long. */
export function findInText(
  text: string,
  query: string,
  { path, ignoreCase, most }: { readonly path: string; readonly ignoreCase: boolean; readonly most: number },
): Match[] {
  const fold = (given: string): string => (ignoreCase ? given.toLowerCase() : given)
  const wanted = fold(query)
  const matches: Match[] = []
  for (const [index, line] of text.split('\n').entries()) {
    if (matches.length >= most) break
    if (fold(line).includes(wanted)) matches.push({ path, line: index + 1, text: line.slice(0, longestShown) })
  }
  return matches
}
