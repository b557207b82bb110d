import { lstat, readlink } from 'node:fs/promises'
import { addressSpacePerMemory, type CommandLimits } from './limits.ts'

/** Where commands find their workspace. */
export const workspaceInside = '/workspace'

/** What bubblewrap is given beside stdin, stdout and stderr: where it says what it started, and the workspace. */
export const infoFd = 3
export const workspaceFd = 4

/**
 * All that there is of the system, read-only. Not `/usr` as such: many a container keeps its service, with its secrets, in
 * `/usr/src` or `/usr/local`.
 */
const systemFolders = [
  ...['bin', 'include', 'lib', 'lib32', 'lib64', 'libexec', 'libx32', 'sbin', 'share'].map((name) => `/usr/${name}`),
  ...['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32', '/etc/alternatives'],
] as const

/** Whether a command could read it, as far as its folder goes. */
export function isSeen(path: string): boolean {
  return systemFolders.some((folder) => path === folder || path.startsWith(`${folder}/`))
}

/** Of another user than any of ours, so that a command sees no name of who runs this. */
const userInside = '1000'

const environment = { PATH: '/usr/bin:/bin', HOME: '/tmp', LANG: 'C.UTF-8', TERM: 'dumb' }

/** Where a root's workspace is for whom it runs commands as: those may not go down the folders that lead to it. */
const workspaceOfUser = '/mnt/workspace'

/**
 * As whom sandboxes run, and whose their workspaces are, where we are root: for root the kernel counts no processes, and
 * asks for no capability in places. Else as ourselves.
 */
export const sandboxUser: { readonly uid: number; readonly gid: number } | undefined =
  process.getuid?.() === 0 ? { uid: 65_533, gid: 65_533 } : undefined

/** The arguments that show the system to a sandbox: links as links, folders read-only. */
export async function systemArguments(): Promise<readonly string[]> {
  const parts = await Promise.all(
    systemFolders.map(async (folder) => {
      const stats = await lstat(folder).catch(() => undefined)
      if (stats?.isSymbolicLink() === true) return ['--symlink', await readlink(folder), folder]
      return stats?.isDirectory() === true ? ['--ro-bind', folder, folder] : []
    }),
  )
  return parts.flat()
}

/**
 * The arguments of `bwrap` for one command: namespaces of its own (processes, network, users, IPC, names), no
 * capability, no environment of ours, the system read-only, the workspace, an own `/tmp`; and `prlimit`, inside, for what
 * each process may take. All dies with its first process, and with ours.
 */
export function sandboxArguments(options: {
  readonly system: readonly string[]
  readonly argv: readonly string[]
  readonly prlimit: string
  readonly limits: CommandLimits
}): readonly string[] {
  const { system, argv, prlimit, limits } = options
  const temporary = ['--size', String(limits.temporaryBytes), '--tmpfs']
  return [
    ...['--unshare-all', '--unshare-user', '--disable-userns', '--die-with-parent', '--new-session'],
    ...['--uid', userInside, '--gid', userInside, '--hostname', 'sandbox', '--cap-drop', 'ALL', '--clearenv'],
    ...Object.entries(environment).flatMap(([name, value]) => ['--setenv', name, value]),
    ...system,
    ...['--proc', '/proc', '--dev', '/dev', ...temporary, '/dev/shm', ...temporary, '/tmp'],
    ...(sandboxUser === undefined ? ['--bind-fd', String(workspaceFd)] : ['--bind', workspaceOfUser]),
    ...[workspaceInside, '--chdir', workspaceInside],
    ...['/dev', '/proc', '/'].flatMap((folder) => ['--remount-ro', folder]),
    ...['--info-fd', String(infoFd), '--', prlimit],
    ...[`--as=${limits.memoryBytes * addressSpacePerMemory}`, `--nproc=${limits.processes}`],
    ...[`--fsize=${limits.fileBytes}`, `--nofile=${limits.openFiles}`, '--core=0', '--memlock=0'],
    ...[`--cpu=${Math.ceil((limits.timeMs / 1_000) * 2)}`, '--', ...argv],
  ]
}

/**
 * What a root starts first: bubblewrap once more, which puts the workspace where the other user can reach it, and then
 * becomes that user. The sandbox itself is made by somebody who has no power over this machine.
 */
export function asUser(
  { uid, gid }: { readonly uid: number; readonly gid: number },
  [setpriv, bwrap]: readonly [setpriv: string, bwrap: string],
): readonly string[] {
  return [
    ...['--dev-bind', '/', '/', '--tmpfs', '/mnt', '--bind-fd', String(workspaceFd), workspaceOfUser],
    ...['--die-with-parent', '--', setpriv, `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'],
    ...['--bounding-set=-all', '--inh-caps=-all', '--pdeathsig=KILL', '--', bwrap],
  ]
}
