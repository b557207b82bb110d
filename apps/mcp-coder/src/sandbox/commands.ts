import { constants } from 'node:fs'
import { access, mkdtemp, open, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WorkspaceFault } from '../workspace/fault.ts'
import { asUser, isSeen, sandboxArguments, sandboxUser, systemArguments } from './bubblewrap.ts'
import { type CommandLimits, commandLimits } from './limits.ts'
import { type CommandResult, runSandbox } from './run.ts'

/** Debian's own of these are there nearly everywhere; none of them is more than the sandbox lets it be. */
export const usualCommands = [
  ...['cat', 'cp', 'cut', 'diff', 'du', 'file', 'find', 'git', 'grep', 'gzip', 'head', 'ls', 'make', 'mkdir', 'mv'],
  ...['node', 'patch', 'perl', 'python3', 'rm', 'sed', 'sh', 'sort', 'stat', 'tail', 'tar', 'tr', 'uniq', 'wc'],
] as const

export interface CommandOptions {
  /** Names that may be run, found below `/usr/bin` and `/bin`. @default usualCommands */
  readonly allowed?: readonly string[]
  readonly limits?: Partial<CommandLimits>
  /** Folders that no command may see. With one below a folder of the system's there are no commands. @default none */
  readonly unseen?: readonly string[]
  /** @default '/usr/bin/bwrap' */
  readonly bwrap?: string
}

export interface Run {
  readonly argv: readonly string[]
  /** The open workspace; stays the caller's. */
  readonly folder: number
  /** Who is counted. */
  readonly subject: string
  readonly signal?: AbortSignal
  readonly isFull?: () => Promise<boolean>
  /** The process, as this machine numbers it. */
  readonly onStart?: (pid: number) => void
}

/** Commands in sandboxes. */
export interface Commands {
  readonly limits: CommandLimits
  /** Those of the list that this machine has. */
  readonly names: readonly string[]
  /** @throws WorkspaceFault `no_command`, `too_many_commands`, `closing` */
  run(run: Run): Promise<CommandResult>
  readonly running: number
  /** Ends all of them. Resolves when they are gone. */
  close(): Promise<void>
}

/** No commands, and why. */
export interface NoCommands {
  readonly why: string
}

const prlimit = '/usr/bin/prlimit'
const setpriv = '/usr/bin/setpriv'
/** What the first look may take, however little a command may: a busy machine is no sandbox with holes. */
const lookMs = 30_000

/** Looks whether a sandbox holds here what it should, by starting one. Without that there are no commands at all. */
export async function openCommands(options: CommandOptions = {}): Promise<Commands | NoCommands> {
  const { allowed = usualCommands, unseen = [], bwrap = '/usr/bin/bwrap' } = options
  const limits = { ...commandLimits, ...options.limits }
  const seen = unseen.find(isSeen)
  if (seen !== undefined) return { why: `commands would see ${seen}: keep it elsewhere` }
  for (const program of [bwrap, prlimit, setpriv]) {
    if (!(await isProgram(program)))
      return { why: `${program} is not there: install Debian's bubblewrap and util-linux` }
  }
  const system = await systemArguments()
  const first = sandboxUser === undefined ? [] : asUser(sandboxUser, [setpriv, bwrap])
  const why = await whatIsOpen({ bwrap, first, system, limits: { ...limits, timeMs: Math.max(limits.timeMs, lookMs) } })
  if (why !== undefined) return { why }
  const programs = await findPrograms(allowed)
  if (programs.size === 0) return { why: 'no command of the list is on this machine' }

  const runs = new Map<Promise<CommandResult>, { readonly subject: string; readonly stop: AbortController }>()
  let isClosing = false
  return {
    limits,
    names: [...programs.keys()],
    async run({ argv, folder, subject, signal, isFull, onStart }) {
      const [name = '', ...rest] = argv
      const program = programs.get(name)
      if (program === undefined) throw new WorkspaceFault('no_command')
      if (isClosing) throw new WorkspaceFault('closing')
      const ofOne = [...runs.values()].filter((run) => run.subject === subject).length
      if (runs.size >= limits.concurrent || ofOne >= limits.concurrentOfOne) {
        throw new WorkspaceFault('too_many_commands')
      }
      const stop = new AbortController()
      const running = runSandbox({
        bwrap,
        args: [...first, ...sandboxArguments({ system, argv: [program, ...rest], prlimit, limits })],
        folder,
        limits,
        signal: signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]),
        isFull,
        onStart,
      })
      runs.set(running, { subject, stop })
      try {
        return await running
      } finally {
        runs.delete(running)
      }
    },
    get running() {
      return runs.size
    },
    async close() {
      isClosing = true
      for (const { stop } of runs.values()) stop.abort()
      await Promise.allSettled(runs.keys())
    },
  }
}

async function isProgram(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}

/** Below the folders that the sandbox has, so that a name means the same there. */
async function findPrograms(names: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>()
  for (const name of names) {
    for (const folder of ['/usr/bin', '/bin']) {
      const path = join(folder, name)
      if (found.has(name) || !(await isProgram(path))) continue
      const target = await realpath(path)
      if (/^\/(usr|bin|lib)\//.test(target)) found.set(name, path)
    }
  }
  return found
}

/** Starts a sandbox that looks around; undefined if all is as it should be. */
async function whatIsOpen(given: {
  readonly bwrap: string
  readonly first: readonly string[]
  readonly system: readonly string[]
  readonly limits: CommandLimits
}): Promise<string | undefined> {
  const { bwrap, first, system, limits } = given
  const path = await mkdtemp(join(tmpdir(), 'countersign-sandbox-'))
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY)
  if (sandboxUser !== undefined) await folder.chown(sandboxUser.uid, sandboxUser.gid)
  const script = `echo "net $(tail -n +3 /proc/net/dev | tr -d ' ' | cut -d: -f1 | tr '\\n' ' ')"; ls /proc | grep -c '^[0-9]'; ls /; for f in / /usr /usr/lib /proc/sys/kernel/core_pattern; do test -w $f && echo writable; done; true`
  try {
    const args = [...first, ...sandboxArguments({ system, argv: ['/usr/bin/sh', '-c', script], prlimit, limits })]
    const { reason, exitCode, stdout, stderr } = await runSandbox({ bwrap, args, folder: folder.fd, limits })
    if (reason !== 'exited' || exitCode !== 0) {
      return `bubblewrap does not work here: ${stderr.trim().split('\n')[0]?.slice(0, 200) || reason}`
    }
    const [net, processes, ...rest] = stdout.trim().split('\n')
    if (net?.trim() !== 'net lo') return 'a sandbox would have a network'
    if (!(Number(processes) < 10)) return 'a sandbox would see other processes'
    if (rest.includes('writable') || rest.includes('home') || rest.includes('root'))
      return 'a sandbox would not be closed'
    return undefined
  } finally {
    await folder.close()
    await rm(path, { recursive: true, force: true })
  }
}
