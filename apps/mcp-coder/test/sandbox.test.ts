import { type StdioOptions, spawn } from 'node:child_process'
import { closeSync, constants, openSync, readFileSync } from 'node:fs'
import { chmod, open, readdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { sandboxUser } from '../src/sandbox/bubblewrap.ts'
import { type Commands, openCommands } from '../src/sandbox/commands.ts'
import type { CommandLimits } from '../src/sandbox/limits.ts'
import type { CommandResult } from '../src/sandbox/run.ts'
import { later, scratch } from './fixtures.ts'

async function openSome(limits: Partial<CommandLimits> = {}, allowed = ['sh', 'cat', 'ls']): Promise<Commands> {
  const commands = await openCommands({ limits, allowed })
  if ('why' in commands) throw new Error(commands.why)
  later(() => commands.close())
  return commands
}

async function shell(
  script: string,
  limits: Partial<CommandLimits> = {},
  more: { readonly signal?: AbortSignal; readonly folder?: string; readonly onStart?: (pid: number) => void } = {},
): Promise<CommandResult> {
  const commands = await openSome(limits)
  const folder = await openFolder(more.folder ?? (await scratch()))
  return commands.run({ argv: ['sh', '-c', script], subject: 'ada', ...more, folder })
}

/** As a workspace is: of whom the commands run as. */
async function openFolder(path: string): Promise<number> {
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY)
  later(() => handle.close())
  if (sandboxUser === undefined) return handle.fd
  await handle.chown(sandboxUser.uid, sandboxUser.gid)
  return handle.fd
}

/** The processes of this machine whose arguments have these words in them. */
const processesWith = (words: string): Promise<readonly string[]> => processes((line) => line.includes(words))
/** Which they are once `sh` has become them. */
const processesThatAre = (words: string): Promise<readonly string[]> => processes((line) => line === `${words} `)

async function processes(wanted: (commandLine: string) => boolean): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  return pids.filter((pid) => {
    try {
      return wanted(readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '))
    } catch {
      return false
    }
  })
}

let quick = 0
/** Words that only one command of one test has. */
const marked = (): string => {
  quick += 1
  return `8${process.pid}${quick}`
}

describe('a command in its sandbox', () => {
  it('works on the workspace, and says how it ended', async () => {
    const folder = await scratch()
    await writeFile(join(folder, 'in.txt'), 'text', { mode: 0o644 })
    const result = await shell('cat in.txt; echo made > out.txt; echo wrong >&2; exit 3', {}, { folder })
    expect(result).toMatchObject({ reason: 'exited', exitCode: 3, stdout: 'text', stderr: 'wrong\n' })
    expect(await readFile(join(folder, 'out.txt'), 'utf8')).toBe('made\n')
    expect(await shell('kill -TERM $$')).toMatchObject({ reason: 'exited', exitCode: 143 })
  })

  it('has the system read-only, and nothing else of this machine', async () => {
    const { stdout } = await shell(
      'ls -A / /etc; for f in / /usr /etc /dev; do touch $f/x 2>/dev/null && echo WROTE; done',
    )
    expect(stdout).not.toContain('WROTE')
    expect(stdout.split('\n')).toEqual(expect.arrayContaining(['usr', 'proc', 'tmp', 'workspace']))
    for (const absent of ['home', 'root', 'var', 'sys', 'run', 'passwd', 'shadow', 'hosts']) {
      expect(stdout.split('\n')).not.toContain(absent)
    }
  })

  // The kernel lets root write its settings, whatever capabilities it has given up; core_pattern names a program to run.
  it('sees of /usr what programs are made of, and no service that is kept there', async () => {
    const { stdout } = await shell('ls /usr; ls /usr/local /usr/src 2>/dev/null')
    const seen = stdout.trim().split('\n')
    expect(seen).toEqual(expect.arrayContaining(['bin', 'lib']))
    expect(seen.filter((name) => !/^(bin|include|lib|lib32|lib64|libexec|libx32|sbin|share)$/.test(name))).toEqual([])
  })

  it('writes to its workspace and its /tmp, and to no setting of the kernel', async () => {
    const { stdout } = await shell(
      'for m in $(cut -d" " -f2 /proc/mounts); do find $m -xdev -writable ! -type l 2>/dev/null; done | sort -u',
    )
    const devices = ['full', 'null', 'pts', 'pts/ptmx', 'random', 'shm', 'tty', 'urandom', 'zero']
    const writable = ['/tmp', '/workspace', ...devices.map((name) => `/dev/${name}`)]
    expect(stdout.split('\n').filter((path) => path !== '' && !writable.includes(path))).toEqual([])
    const change = await shell('cat /proc/sys/kernel/core_pattern > /proc/sys/kernel/core_pattern')
    expect(change).toMatchObject({ exitCode: 2 })
  })

  it('has none of the files that whoever started the server left open', async () => {
    const folder = await scratch()
    await writeFile(join(folder, 'secret'), 'of the supervisor')
    const left = openSync(join(folder, 'secret'), 'r')
    const code = `
      import { openTools } from ${JSON.stringify(new URL('../dist/tools/open-tools.js', import.meta.url).href)}
      const { tools, close } = await openTools({ workspaces: ${JSON.stringify(join(folder, 'workspaces'))} })
      const call = { owner: { issuer: 'i', subject: 's' }, signal: new AbortController().signal }
      const argv = ['sh', '-c', 'ls -l /proc/self/fd /proc/1/fd; cat <&7; cat /proc/self/fd/12']
      const command = tools.find(({ name }) => name === 'run_command')
      process.stdout.write(JSON.stringify(await command.run({ argv }, call)))
      await close()`
    const stdio: StdioOptions = ['ignore', 'pipe', 'inherit', 'ignore', 'ignore', 'ignore', 'ignore', left]
    const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
      stdio: [...stdio, 'ignore', 'ignore', 'ignore', 'ignore', left],
    })
    closeSync(left)
    let printed = ''
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      printed += text
    })
    expect(await new Promise((resolve) => child.once('close', resolve))).toBe(0)
    const { stdout } = JSON.parse(printed)
    expect(stdout).not.toContain('of the supervisor')
    expect(stdout).not.toContain(folder)
    expect(stdout).toContain('/dev/null')
  })

  it('has nothing of our environment, and no capability', async () => {
    process.env.CODER_TEST_SECRET = 'of the server'
    try {
      const { stdout } = await shell('env; cat /proc/self/status /proc/1/environ; echo; id -u')
      expect(stdout).not.toContain('of the server')
      expect(stdout.split('\n')).toEqual(expect.arrayContaining(['PATH=/usr/bin:/bin', 'HOME=/tmp', '1000']))
      expect(stdout).toMatch(/CapEff:\t0+\nCapBnd:\t0+\n/)
      expect(stdout).toMatch(/NoNewPrivs:\t1/)
    } finally {
      delete process.env.CODER_TEST_SECRET
    }
  })

  it('has no network, not even this machine', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    later(() => new Promise((resolve) => server.close(resolve)))
    const address = server.address()
    const port = typeof address === 'object' ? address?.port : 0
    let connections = 0
    server.on('connection', () => {
      connections += 1
    })
    const perl = `use Socket; socket(S, PF_INET, SOCK_STREAM, 0); connect(S, sockaddr_in(${port}, inet_aton("127.0.0.1"))) or die "refused";`
    expect(await shell(`perl -e '${perl}'; tail -n +3 /proc/net/dev`)).toMatchObject({
      stdout: expect.stringMatching(/^\s*lo:/),
      stderr: expect.stringContaining('refused'),
    })
    expect(connections).toBe(0)
  })

  it('has a /tmp of its own', async () => {
    const folder = await scratch()
    await shell('echo here > /tmp/countersign-mine', {}, { folder })
    expect((await shell(`ls -A /tmp; ls ${folder} 2>&1`, {}, { folder })).stdout).toContain('No such file')
  })

  it('sees no process but its own, and ends none of ours', async () => {
    const { stdout } = await shell('ls /proc | grep -c "^[0-9]"; kill -9 -1; echo survived')
    expect(Number(stdout.split('\n')[0])).toBeLessThan(8)
    expect(stdout).toContain('survived')
  })

  it('makes no other user namespace', async () => {
    expect((await shell('unshare -Ur true')).exitCode).not.toBe(0)
  })

  it('leaves nothing running behind', async () => {
    const mark = marked()
    expect(await shell(`(setsid sleep ${mark} >/dev/null 2>&1 &); echo gone`)).toMatchObject({ stdout: 'gone\n' })
    expect(await processesWith(`sleep ${mark}`)).toEqual([])
  })
})

const limited: [what: string, limits: Partial<CommandLimits>, script: string, reason: string][] = [
  ['time', { timeMs: 300 }, 'sleep 20', 'time_limit'],
  [
    'time, whatever it does against it',
    { timeMs: 300 },
    'trap "" TERM INT HUP; while :; do sleep 1; done',
    'time_limit',
  ],
  ['output', { outputBytes: 1_000 }, 'while :; do echo word; done', 'output_limit'],
  ['output on both streams', { outputBytes: 1_000 }, 'while :; do echo w; echo w >&2; done', 'output_limit'],
  // Little enough that the kernel gives it: more than eight times the limit it refuses by itself.
  ['memory', { memoryBytes: 30_000_000, timeMs: 60_000 }, `perl -e '$x = "x" x 60_000_000; sleep 90'`, 'memory_limit'],
  [
    'memory of all processes together',
    { memoryBytes: 60_000_000, timeMs: 60_000 },
    `for i in 1 2 3 4; do perl -e '$x = "x" x 25_000_000; sleep 90' & done; wait`,
    'memory_limit',
  ],
]

describe('a limit on a command', () => {
  it.each(limited)('ends it for %s', async (_what, limits, script, reason) => {
    const result = await shell(script, limits)
    expect(result).toMatchObject({ reason, exitCode: null })
    expect(result.stdout.length + result.stderr.length).toBeLessThanOrEqual(1_000)
  })

  it('refuses one process eight times its memory before it has it', async () => {
    const script = `perl -e '$x = "x" x 300_000_000; sleep 20'`
    const result = await shell(script, { memoryBytes: 30_000_000, timeMs: 60_000 })
    expect(result).toMatchObject({ reason: 'exited', stderr: expect.stringMatching(/out of memory/i) })
  })

  // Two hundred and no more: a bomb without a bound would be one for the machine under test where the limit fails.
  it('holds what forks without end', async () => {
    const mark = marked()
    const limits = { processes: 20, timeMs: 60_000 }
    const script = `i=0; while [ $i -lt 200 ]; do sleep ${mark} & i=$((i + 1)); echo $i; done; wait`
    const { reason, stdout, stderr } = await shell(script, limits)
    // The kernel refuses more of them; too many that are seen are ended.
    expect(stdout.trim().split('\n').length).toBeLessThan(20)
    expect(reason === 'process_limit' || stderr.includes('fork')).toBe(true)
    expect(await processesWith(`sleep ${mark}`)).toEqual([])
  })

  it('cuts a file, its /tmp and /dev/shm', async () => {
    const fill = (path: string): string => `cat /dev/zero > ${path}; ls -l ${path} | tr -s " " | cut -d" " -f5`
    const bytes = async (path: string, limits: Partial<CommandLimits>): Promise<number> =>
      Number((await shell(fill(path), limits)).stdout)
    expect(await bytes('big', { fileBytes: 100_000 })).toBe(100_000)
    const temporary = { temporaryBytes: 1_048_576, fileBytes: 1_000_000_000 }
    expect(await bytes('/tmp/countersign-big', temporary)).toBe(1_048_576)
    expect(await bytes('/dev/shm/big', temporary)).toBe(1_048_576)
  })

  it('ends it when the workspace is full', async () => {
    const commands = await openSome()
    const folder = await openFolder(await scratch())
    const run = { argv: ['sh', '-c', 'sleep 20'], subject: 'ada', folder, isFull: async () => true }
    expect(await commands.run(run)).toMatchObject({ reason: 'workspace_full' })
  })

  it('holds for open files, and for what one process may reserve', async () => {
    const { stdout } = await shell('ulimit -n; ulimit -v; ulimit -u; ulimit -c', {
      openFiles: 100,
      memoryBytes: 100 * 1_048_576,
      processes: 30,
    }).catch(() => ({ stdout: '' }))
    // dash knows no -u; the rest is as given.
    expect(stdout.split('\n').slice(0, 2)).toEqual(['100', String(800 * 1_024)])
  })

  it('on how many run at once, in all and for one subject', async () => {
    const commands = await openSome({ concurrent: 3, concurrentOfOne: 2 })
    const folder = await openFolder(await scratch())
    const stop = new AbortController()
    const run = (subject: string) =>
      commands.run({ argv: ['sh', '-c', 'sleep 20'], subject, folder, signal: stop.signal })
    const runs = [run('ada'), run('ada')]
    await expect(run('ada')).rejects.toMatchObject({ reason: 'too_many_commands' })
    runs.push(run('bob'))
    await expect(run('eve')).rejects.toMatchObject({ reason: 'too_many_commands' })
    expect(commands.running).toBe(3)
    stop.abort()
    expect((await Promise.all(runs)).map(({ reason }) => reason)).toEqual(['stopped', 'stopped', 'stopped'])
    expect(commands.running).toBe(0)
  })
})

describe('ending a command', () => {
  it('ends all that it started, at once', async () => {
    const mark = marked()
    const stop = new AbortController()
    const script = `trap "" TERM; setsid sleep ${mark} & sleep ${mark} & wait`
    const running = shell(script, {}, { signal: stop.signal })
    await expect.poll(() => processesThatAre(`sleep ${mark}`)).toHaveLength(2)
    stop.abort()
    expect(await running).toMatchObject({ reason: 'stopped', exitCode: null })
    expect(await processesWith(`sleep ${mark}`)).toEqual([])
  })

  it('before it began starts nothing', async () => {
    const folder = await scratch()
    expect(await shell('touch made', {}, { signal: AbortSignal.abort(), folder })).toMatchObject({ reason: 'stopped' })
    expect(await readdir(folder)).toEqual([])
  })

  it('happens to all of them when the server closes', async () => {
    const commands = await openSome()
    const folder = await openFolder(await scratch())
    const started = Promise.withResolvers<number>()
    const run = { argv: ['sh', '-c', 'sleep 20'], subject: 'ada', folder }
    const running = commands.run({ ...run, onStart: started.resolve })
    await started.promise
    await commands.close()
    expect(await running).toMatchObject({ reason: 'stopped' })
    await expect(commands.run(run)).rejects.toMatchObject({ reason: 'closing' })
  })
})

describe('the list of commands', () => {
  let commands: Commands
  beforeAll(async () => {
    const opened = await openCommands({ allowed: ['cat', 'no-such-program', 'sh'] })
    if ('why' in opened) throw new Error(opened.why)
    commands = opened
  })

  it('has those that are on this machine', () => {
    expect(commands.names).toEqual(['cat', 'sh'])
  })

  it.each([['ls'], ['/usr/bin/cat'], ['../usr/bin/cat'], ['cat '], [''], ['constructor'], ['no-such-program']])(
    'has nothing that it does not name: %j',
    async (name) => {
      const folder = await openFolder(await scratch())
      const no = { reason: 'no_command' }
      await expect(commands.run({ argv: [name], subject: 'ada', folder })).rejects.toMatchObject(no)
    },
  )

  it('gives arguments to the program as they are', async () => {
    const path = await scratch()
    const folder = await openFolder(path)
    const argv = ['cat', '--', '$(touch made); touch made', '--as=1']
    expect(await commands.run({ argv, subject: 'ada', folder })).toMatchObject({ exitCode: 1 })
    expect(await readdir(path)).toEqual([])
  })
})

describe('without a sandbox that holds', () => {
  it('there are no commands where bubblewrap is absent', async () => {
    expect(await openCommands({ bwrap: '/usr/bin/no-bwrap' })).toEqual({ why: expect.stringContaining('bubblewrap') })
  })

  it('there are none where it does not start', async () => {
    expect(await openCommands({ bwrap: '/usr/bin/false' })).toEqual({ why: expect.stringContaining('does not work') })
  })

  it('there are none where it lets everything through', async () => {
    const folder = await scratch()
    await chmod(folder, 0o755)
    const bwrap = join(folder, 'bwrap')
    // Everything up to prlimit is dropped, and the command runs as it is.
    await writeFile(bwrap, '#!/bin/sh\nwhile [ "$1" != /usr/bin/prlimit ]; do shift; done; exec "$@"\n', {
      mode: 0o755,
    })
    const before = await readdir('/usr')
    expect(await openCommands({ bwrap })).toEqual({ why: expect.stringContaining('a sandbox would') })
    // It looked, and left nothing there.
    expect(await readdir('/usr')).toEqual(before)
  })

  it('there are none where they would see what is kept below the system’s folders', async () => {
    const opened = await openCommands({ unseen: ['/usr/share/a-service/workspaces'] })
    expect(opened).toEqual({ why: expect.stringContaining('/usr/share/a-service/workspaces') })
  })

  it('there are none where no command of the list is there', async () => {
    expect(await openCommands({ allowed: ['no-such-program'] })).toEqual({ why: expect.stringContaining('no command') })
  })
})
