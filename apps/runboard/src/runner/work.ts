import { type Board, type Job, pause } from './board.ts'
import type { Running } from './run-task.ts'

export interface WorkOptions {
  readonly board: Board
  readonly start: (task: string) => Running
  /** Leave after one run. */
  readonly once: boolean
  readonly signal: AbortSignal
  readonly say: (line: string) => void
}

const idleMs = 1_000
const tellMs = 500
/** What one report takes. */
const mostLines = 100

/** Takes runs one after another, until the signal. @throws BoardRefused, RunnerError, the signal's reason */
export async function work({ board, start, once, signal, say }: WorkOptions): Promise<void> {
  for (;;) {
    const job = await board.take()
    if (job !== undefined) {
      say(`${job.repository}: ${job.task}`)
      say(await workOn(job, start(job.task), { board, signal }))
      if (once) return
    } else await pause(idleMs, signal)
  }
}

/** Tells what a program prints while it runs, and ends it once the board says so. */
async function workOn(
  { id, printed }: Job,
  running: Running,
  { board, signal }: Pick<WorkOptions, 'board' | 'signal'>,
): Promise<string> {
  const stop = (): void => running.stop()
  signal.addEventListener('abort', stop, { once: true })
  try {
    let hasEnded = false
    let from = printed
    void running.ended.then(() => {
      hasEnded = true
    })
    for (;;) {
      // Looked at before the lines are taken: what was printed before the end is then among them.
      const isLast = hasEnded
      const lines = running.takeLines(mostLines)
      // Without lines too: it is how a runner hears that its run was stopped.
      if (!(await board.report(id, from, lines))) {
        running.stop()
        await running.ended
        return 'stopped'
      }
      from += lines.length
      if (isLast && lines.length < mostLines) break
      if (lines.length < mostLines) await Promise.race([pause(tellMs, signal), running.ended])
    }
    const succeeded = await running.ended
    await board.finish(id, succeeded)
    return succeeded ? 'succeeded' : 'failed'
  } finally {
    signal.removeEventListener('abort', stop)
    running.stop()
  }
}
