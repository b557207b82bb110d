import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/** A program under way. */
export interface Running {
  /** What it printed since the last time, at most so many lines. */
  takeLines(most: number): readonly string[]
  /** Whether it ended well, once it has ended and all that it printed is there. */
  readonly ended: Promise<boolean>
  /** Asks it to end, and makes it end five seconds later. */
  stop(): void
}

/** What a program sees of this one's environment: nothing of the runner's own. */
const handedOn = ['PATH', 'HOME', 'LANG', 'TMPDIR'] as const

const graceMs = 5_000
/** A line longer than what the board keeps is cut there. */
const mostWaiting = 10_000

/**
 * Starts `program` with the task as its last argument; no shell is asked unless the program is one. It has a process
 * group of its own, so that what it has started ends with it.
 */
export function runTask(
  program: readonly string[],
  task: string,
  environment: Readonly<Record<string, string | undefined>>,
): Running {
  const [file = '', ...args] = program
  const env = Object.fromEntries(handedOn.flatMap((name) => (environment[name] ? [[name, environment[name]]] : [])))
  const child = spawn(file, [...args, task], { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const waiting: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      if (waiting.length < mostWaiting) waiting.push(line)
    })
  }
  const { promise: ended, resolve } = Promise.withResolvers<boolean>()
  child.once('error', ({ message }) => {
    waiting.push(message)
    resolve(false)
  })
  let isOver = false
  child.once('close', (code) => {
    isOver = true
    resolve(code === 0)
  })
  const signal = (name: NodeJS.Signals): void => {
    // Until it is over its group's number is nobody else's.
    if (isOver || child.pid === undefined) return
    try {
      process.kill(-child.pid, name)
    } catch {
      // Gone this very moment; or a system without groups.
      child.kill(name)
    }
  }
  return {
    takeLines: (most) => waiting.splice(0, most),
    ended,
    stop() {
      signal('SIGTERM')
      setTimeout(() => signal('SIGKILL'), graceMs).unref()
    },
  }
}
