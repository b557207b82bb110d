/**
 * Turns by key: at most `width` holders at once, the others wait in line. Attempts on one account go one after the
 * other, so that many sent at the same moment cannot all slip through before the first failure is counted.
 */
export interface Turns {
  /** Resolves to the function that gives the turn back; undefined if the line is full. */
  take(key: string, width: number, line: number): Promise<(() => void) | undefined>
}

interface Desk {
  held: number
  readonly waiting: (() => void)[]
}

export function createTurns(): Turns {
  const desks = new Map<string, Desk>()
  return {
    async take(key, width, line) {
      const desk = desks.get(key) ?? { held: 0, waiting: [] }
      desks.set(key, desk)
      if (desk.held < width) {
        desk.held += 1
      } else {
        if (desk.waiting.length >= line) return undefined
        // The one that gives its turn back hands it over, so `held` stays as it is.
        await new Promise<void>((resolve) => desk.waiting.push(resolve))
      }
      return () => {
        const next = desk.waiting.shift()
        if (next !== undefined) {
          next()
          return
        }
        desk.held -= 1
        if (desk.held === 0) desks.delete(key)
      }
    },
  }
}
