/** Collects what a logger writes. */
export function collectLines(): {
  readonly destination: { write(line: string): void }
  readonly text: () => string
  readonly lines: () => Record<string, unknown>[]
} {
  let text = ''
  return {
    destination: {
      write: (line) => {
        text += line
      },
    },
    text: () => text,
    lines: () =>
      text
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line)),
  }
}
