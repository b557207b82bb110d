import type { Clock } from '@countersign/tokens'
import type { CliIo } from './io.ts'
import type { Output } from './output.ts'

const everyMs = 1_000

/** Tells of rows on their way, at most once a second. */
export function rowProgress(
  out: Output,
  clock: Clock,
): (progress: { readonly table: string; readonly done: number; readonly total: number }) => void {
  let toldMs = clock.monotonicMs()
  return ({ table, done, total }) => {
    const nowMs = clock.monotonicMs()
    if (nowMs - toldMs < everyMs) return
    toldMs = nowMs
    const share = total === 0 ? '' : ` (${Math.floor((done / total) * 100)} %)`
    out.note(`${table}: ${done.toLocaleString('en')} of ${total.toLocaleString('en')} rows${share}`)
  }
}

export interface Bar {
  at(done: number): void
  end(): void
}

const barWidth = 30

/** A bar on a terminal; lines elsewhere, at most one a second. */
export function createBar(
  out: Output,
  { stderr, clock }: Pick<CliIo, 'stderr' | 'clock'>,
  { what, total }: { readonly what: string; readonly total: number },
): Bar {
  if (stderr.isTTY !== true || out.silent) {
    const tell = rowProgress(out, clock)
    return { at: (done) => tell({ table: what, done, total }), end: () => {} }
  }
  let drawn = false
  return {
    at(done) {
      const share = total === 0 ? 1 : Math.min(1, done / total)
      const full = Math.round(share * barWidth)
      const bar = '█'.repeat(full) + '░'.repeat(barWidth - full)
      stderr.write(`\r${bar} ${done.toLocaleString('en')} of ${total.toLocaleString('en')} ${what}`)
      drawn = true
    },
    end() {
      // The whole line goes: what comes next is the result.
      if (drawn) stderr.write('\r\u001b[K')
    },
  }
}
