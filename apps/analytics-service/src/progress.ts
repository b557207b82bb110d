import type { EtlProgress } from './etl.ts'

/** What of a stream is needed to show progress on it. */
export interface Screen {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

const widest = 40
/** Milliseconds between two lines where nobody looks on. */
const lineEveryMs = 1_000

/** A bar that is drawn over itself on a terminal; elsewhere a line now and then, and the last one always. */
export function showProgress(screen: Screen, now: () => number): (progress: EtlProgress) => void {
  let last = Number.NEGATIVE_INFINITY
  return ({ done, of }) => {
    const isLast = done >= of
    const share = of === 0 ? 1 : Math.min(1, done / of)
    const words = `${done}/${of} rows, ${Math.floor(share * 100)} %`
    if (screen.isTTY === true) {
      const width = Math.max(10, Math.min(widest, (screen.columns ?? 80) - words.length - 4))
      const full = Math.round(share * width)
      screen.write(`\r[${'#'.repeat(full)}${'.'.repeat(width - full)}] ${words}\u001b[K${isLast ? '\n' : ''}`)
      return
    }
    if (!isLast && now() - last < lineEveryMs) return
    last = now()
    screen.write(`${words}\n`)
  }
}
