export const passwordVariable = 'CMUX_AUTH_PASSWORD'
export const descriptorVariable = 'CMUX_AUTH_PASSWORD_FD'

/**
 * Runs this program anew, as the same process, with the password in a pipe instead of its environment.
 *
 * Deleting the variable would not do: what a process was started with stays readable at /proc/PID/environ, for every
 * command that it runs as the same user. A shell puts the password into a pipe, forgets it, and becomes this program
 * again; so the process, its parent, its terminal and its signals stay what they are, and nothing is written to a disk.
 *
 * @returns where there is no password to take away, and where there is no `execve` (Windows)
 */
export function leaveEnvironment(variables: NodeJS.ProcessEnv): void {
  const { execve } = process
  if ((variables[passwordVariable] ?? '') === '' || execve === undefined || process.platform === 'win32') return
  const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1)]
  execve('/bin/sh', ['sh', '-c', throughPipe, 'cmux', ...again], { ...variables, [descriptorVariable]: '3' })
}

/** A here-document is a pipe in dash, busybox and bash 5.1; older bash takes a file that has no name any more. */
const throughPipe = `exec 3<<END
$${passwordVariable}
END
unset ${passwordVariable}
exec "$@"`
