import { closeSync, readSync } from 'node:fs'
import { ConfigError } from '@countersign-apps/kit'

export const passwordVariable = 'CMUX_AUTH_PASSWORD'
export const descriptorVariable = 'CMUX_AUTH_PASSWORD_FD'

const mostBytes = 8_192

/**
 * Runs this program anew, as the same process, with the password in a pipe instead of its environment.
 *
 * Deleting the variable would not do: what a process was started with stays readable at /proc/PID/environ, for every
 * command that it runs as the same user. A shell puts the password into a pipe, forgets it, and becomes this program
 * again; so the process, its parent, its terminal and its signals stay what they are, and nothing is written to a disk.
 *
 * @returns only where there is no `execve` (Windows): the variable is deleted then, and that is all
 */
export function leaveEnvironment(variables: NodeJS.ProcessEnv): void {
  const { execve } = process
  if (execve === undefined || process.platform === 'win32') return
  const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1)]
  execve('/bin/sh', ['sh', '-c', throughPipe, 'cmux', ...again], { ...variables, [descriptorVariable]: '3' })
}

/** A here-document is a pipe in dash, busybox and bash 5.1; older bash takes a file that has no name any more. */
const throughPipe = `exec 3<<END
$${passwordVariable}
END
unset ${passwordVariable}
exec "$@"`

/**
 * The password of the file descriptor that the environment names, which is read to its end and closed.
 * @returns undefined if none is named
 * @throws ConfigError
 */
export function takePassword(variables: NodeJS.ProcessEnv): string | undefined {
  const named = variables[descriptorVariable]
  delete variables[descriptorVariable]
  if (named === undefined || named === '') return undefined
  if (!/^(?:0|[3-9]|\d{2,4})$/.test(named)) {
    throw new ConfigError([`${descriptorVariable}: expected the number of a file descriptor, 0 or from 3 on`])
  }
  const text = readAll(Number(named))
  // What writes a line ends it; the password itself may begin and end with anything.
  return text.endsWith('\n') ? text.slice(0, -1) : text
}

function readAll(descriptor: number): string {
  const bytes = Buffer.alloc(mostBytes + 1)
  let size = 0
  try {
    for (;;) {
      const read = readSync(descriptor, bytes, size, bytes.length - size, null)
      if (read === 0) break
      size += read
    }
    if (size > mostBytes) throw new ConfigError([`${descriptorVariable}: more than ${mostBytes} bytes`])
    return bytes.toString('utf8', 0, size)
  } catch (error) {
    if (error instanceof ConfigError) throw error
    throw new ConfigError([`${descriptorVariable}: descriptor ${descriptor} cannot be read`])
  } finally {
    bytes.fill(0)
    try {
      closeSync(descriptor)
    } catch {
      // It was not open.
    }
  }
}
