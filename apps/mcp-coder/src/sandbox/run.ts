import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process'
import { closeSync, constants, openSync, readFileSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { infoFd } from './bubblewrap.ts'
import { inheritedDescriptors } from './inherited.ts'
import type { CommandLimits } from './limits.ts'
import { footprintOf } from './processes.ts'

export type CommandEnd =
  | 'exited'
  | 'not_started'
  | 'stopped'
  | 'time_limit'
  | 'output_limit'
  | 'memory_limit'
  | 'process_limit'
  | 'workspace_full'

export interface CommandResult {
  readonly reason: CommandEnd
  /** What it exited with; 128 and the signal's number where a signal ended it. Null if we ended it. */
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
  readonly ms: number
}

export interface RunOptions {
  readonly bwrap: string
  readonly args: readonly string[]
  /** The open workspace; stays the caller's. */
  readonly folder: number
  readonly limits: CommandLimits
  /** Ends the command and all that it started. */
  readonly signal?: AbortSignal | undefined
  /** Looked at as the command runs. */
  readonly isFull?: (() => Promise<boolean>) | undefined
  readonly onStart?: ((pid: number) => void) | undefined
}

/** How often what a command takes is looked at. */
const lookEveryMs = 100
/** How often its files are. */
const looksPerFolder = 5

/** Runs one sandbox to its end; resolves when nothing of it runs any more. */
export async function runSandbox(options: RunOptions): Promise<CommandResult> {
  const { bwrap, args, folder, limits, signal, isFull, onStart } = options
  const startedAt = performance.now()
  if (signal?.aborted === true) return { reason: 'stopped', exitCode: null, stdout: '', stderr: '', ms: 0 }
  const child = start(bwrap, args, folder)
  let reason: CommandEnd = 'exited'
  let inner: number | undefined
  let isGone = false
  // Its numbers may be another's by now.
  child.once('exit', () => {
    isGone = true
  })
  const end = (why: CommandEnd): void => {
    if (isGone) return
    if (reason === 'exited') reason = why
    kill(child, inner)
  }

  let printed = 0
  const outputs = [child.stdout, child.stderr].map((stream) => {
    const chunks: Buffer[] = []
    stream?.on('data', (bytes: Buffer) => {
      const room = limits.outputBytes - printed
      printed += bytes.length
      if (room > 0) chunks.push(bytes.subarray(0, room))
      if (bytes.length > room) end('output_limit')
    })
    return () => Buffer.concat(chunks).toString('utf8')
  })
  readInfo(child.stdio[infoFd] as Readable, (pid) => {
    inner = pid
    onStart?.(pid)
    if (reason !== 'exited') end(reason)
  })

  let looks = 0
  let looking = false
  const look = async (): Promise<void> => {
    if (looking || isGone || inner === undefined) return
    looking = true
    try {
      const { processes, memoryBytes } = await footprintOf(inner, limits.processes + reaper)
      if (processes > limits.processes + reaper) return end('process_limit')
      if (memoryBytes > limits.memoryBytes) return end('memory_limit')
      looks += 1
      if (looks % looksPerFolder === 0 && (await isFull?.()) === true) end('workspace_full')
    } finally {
      looking = false
    }
  }
  const fault = Promise.withResolvers<never>()
  const watch = setInterval(() => look().catch(fault.reject), lookEveryMs)
  const deadline = setTimeout(() => end('time_limit'), limits.timeMs)
  const stop = (): void => end('stopped')
  signal?.addEventListener('abort', stop, { once: true })
  try {
    const exitCode = await Promise.race([over(child), fault.promise])
    if (exitCode === undefined) reason = 'not_started'
    await gone(inner)
    const [stdout = '', stderr = ''] = outputs.map((text) => text())
    const code = reason === 'exited' ? (exitCode ?? null) : null
    return { reason, exitCode: code, stdout, stderr, ms: performance.now() - startedAt }
  } finally {
    clearInterval(watch)
    clearTimeout(deadline)
    signal?.removeEventListener('abort', stop)
    if (!isGone) kill(child, inner)
  }
}

function start(bwrap: string, args: readonly string[], folder: number): ChildProcess {
  const nothing = openSync('/dev/null', constants.O_RDONLY)
  try {
    // In the order of the descriptors that bubblewrap is told of.
    const stdio: StdioOptions = ['ignore', 'pipe', 'pipe', 'pipe', folder]
    for (const fd of inheritedDescriptors()) {
      while (stdio.length < fd) stdio.push('ignore')
      if (fd >= stdio.length) stdio.push(nothing)
    }
    return spawn(bwrap, args, { cwd: '/', env: {}, detached: true, stdio })
  } finally {
    closeSync(nothing)
  }
}

/** The first process of the sandbox is bubblewrap's own. */
const reaper = 1

/** With the first process of its namespace, every process in it dies. */
function kill({ pid }: ChildProcess, inner: number | undefined): void {
  for (const one of [inner, pid === undefined ? undefined : -pid]) {
    if (one === undefined) continue
    try {
      process.kill(one, 'SIGKILL')
    } catch {
      // It is gone.
    }
  }
}

/** The exit code; undefined if it could not even be started. Not before its pipes are closed: then nobody holds them. */
function over(child: ChildProcess): Promise<number | null | undefined> {
  return new Promise((resolve) => {
    child.once('error', () => {
      if (child.pid === undefined) resolve(undefined)
    })
    child.once('close', (code, signal) => resolve(signal === null ? code : null))
  })
}

/** Resolves when the first process of the sandbox has ended, which outlives every other one in it. */
async function gone(pid: number | undefined): Promise<void> {
  while (pid !== undefined && isRunning(pid)) await sleep(5)
}

function isRunning(pid: number): boolean {
  try {
    // After the name, which may have anything in it: the state. One that nobody has asked about yet runs no more.
    return !/\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return false
  }
}

/** What bubblewrap says of itself, as one small JSON object. */
function readInfo(stream: Readable, onPid: (pid: number) => void): void {
  let text = ''
  stream.setEncoding('utf8').on('data', (part: string) => {
    text = (text + part).slice(0, 1_024)
    const [, pid] = /"child-pid":\s*(\d+)/.exec(text) ?? []
    if (pid !== undefined && /\}/.test(text)) {
      onPid(Number(pid))
      text = ''
    }
  })
}
