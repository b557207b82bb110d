import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { Problem } from '@countersign-apps/kit'
import { z } from 'zod'
import type { CommandEnd, Feed } from '../feed.ts'
import { OutputText } from './output.ts'

export interface CommandLimits {
  /** Commands at once; one more is refused. @default 4 */
  readonly concurrent: number
  /** Milliseconds that a command may take. @default 600_000 */
  readonly timeMs: number
  /** Bytes that a command may print. @default 1_048_576 */
  readonly outputBytes: number
  /** Milliseconds between the request to end and the end. @default 2_000 */
  readonly graceMs: number
}

const commandLimits: CommandLimits = { concurrent: 4, timeMs: 600_000, outputBytes: 1_048_576, graceMs: 2_000 }

export interface CommandOptions {
  readonly feed: Feed
  /** Where commands run. */
  readonly workdir: string
  /** All that they find in their environment. */
  readonly environment: Readonly<Record<string, string>>
  readonly limits?: Partial<CommandLimits>
}

export interface RunningCommand {
  readonly id: string
  readonly argv: readonly string[]
  readonly startedAt: number
}

export interface Commands {
  /** @throws Problem `invalid_request` for no usable argv, `limit_reached` */
  run(argv: unknown): RunningCommand
  /** Asks it to end, and ends it after the grace. @throws Problem `not_found` */
  stop(id: string): void
  list(): readonly RunningCommand[]
  /** Ends all of them. Resolves when they are gone. */
  close(): Promise<void>
}

const argvShape = z
  .array(
    z
      .string()
      .max(4_096)
      .regex(/^[^\0]*$/, 'expected text without NUL'),
  )
  .min(1, 'expected a program and its arguments')
  .max(64)
  .refine((argv) => argv[0] !== '', 'expected a program')
  .refine((argv) => argv.join('').length <= 16_384, 'expected at most 16,384 characters')

interface Entry extends RunningCommand {
  readonly over: Promise<void>
  end(reason: CommandEnd): void
}

/** Runs programs as they are, without a shell, each in a process group of its own. Nothing keeps them apart from cmux. */
export function createCommands(options: CommandOptions): Commands {
  const { feed, workdir, environment } = options
  const limits = { ...commandLimits, ...options.limits }
  const entries = new Map<string, Entry>()
  let isClosing = false

  function start(id: string, argv: readonly string[], startedAt: number): Entry {
    const [program = '', ...rest] = argv
    const child = spawn(program, rest, {
      cwd: workdir,
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      windowsHide: true,
    })
    let reason: CommandEnd = 'exited'
    let printed = 0
    const timers = new Set<NodeJS.Timeout>()
    const end = (why: CommandEnd): void => {
      if (reason !== 'exited') return
      reason = why
      signalGroup(child, 'SIGTERM')
      timers.add(setTimeout(() => signalGroup(child, 'SIGKILL'), limits.graceMs))
    }
    timers.add(setTimeout(() => end('time_limit'), limits.timeMs))

    const texts = (['stdout', 'stderr'] as const).map((stream) => {
      const text = new OutputText((part) => feed.append({ type: 'command.output', command: id, stream, text: part }))
      child[stream].on('data', (bytes: Buffer) => {
        const room = limits.outputBytes - printed
        printed += bytes.length
        if (room > 0) text.push(bytes.subarray(0, room))
        if (bytes.length > room) end('output_limit')
      })
      return text
    })
    const { promise: over, resolve } = Promise.withResolvers<void>()
    const ended = (code: number | null, signal: string | null): void => {
      if (!entries.delete(id)) return
      for (const timer of timers) clearTimeout(timer)
      for (const text of texts) text.end()
      feed.append({ type: 'command.ended', command: id, reason, code, signal })
      resolve()
    }
    child.once('error', () => {
      if (child.pid !== undefined) return
      reason = 'not_started'
      ended(null, null)
    })
    child.once('exit', () => {
      // What it left behind goes too; what left the group may hold the pipes, and is not waited for.
      signalGroup(child, 'SIGKILL')
      timers.add(setTimeout(() => destroyPipes(child), limits.graceMs))
    })
    child.once('close', ended)
    return { id, argv, startedAt, over, end }
  }

  return {
    run(given) {
      const argv = Object.freeze(Problem.parse(argvShape, given))
      if (isClosing) throw new Problem('limit_reached', 'cmux is closing.')
      if (entries.size >= limits.concurrent) {
        throw new Problem('limit_reached', `${limits.concurrent} commands are running: stop one, or wait.`)
      }
      const id = randomUUID()
      const { at } = feed.append({ type: 'command.started', command: id, argv })
      const entry = start(id, argv, at)
      entries.set(id, entry)
      return shown(entry)
    },
    stop(id) {
      const entry = entries.get(id)
      if (entry === undefined) throw new Problem('not_found', 'No such command is running.')
      entry.end('stopped')
    },
    list: () => [...entries.values()].map(shown),
    async close() {
      isClosing = true
      const running = [...entries.values()]
      for (const entry of running) entry.end('closing')
      await Promise.all(running.map(({ over }) => over))
    },
  }
}

const shown = ({ id, argv, startedAt }: Entry): RunningCommand => ({ id, argv, startedAt })

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, signal)
  } catch {
    // Nobody of the group is left.
  }
}

function destroyPipes({ stdout, stderr }: ChildProcess): void {
  stdout?.destroy()
  stderr?.destroy()
}
