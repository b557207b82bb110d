import type { Clock } from '@countersign/tokens'
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
