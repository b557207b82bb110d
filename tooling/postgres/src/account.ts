import { execFileSync } from 'node:child_process'
import { isExecutable } from './binaries.ts'

/** Whom the server runs as. */
export interface Account {
  readonly uid: number
  readonly gid: number
}

/** PostgreSQL refuses to run as root: then it runs as the account that Debian's package makes, or as nobody. */
export function serverAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined
  for (const name of ['postgres', 'nobody']) {
    try {
      const ask = (what: string): number =>
        Number(execFileSync('id', [what, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }))
      return { uid: ask('-u'), gid: ask('-g') }
    } catch {
      // No such account.
    }
  }
  throw new Error('PostgreSQL cannot run as root, and there is neither an account "postgres" nor "nobody".')
}

/** A command line as that account; on Linux the process ends with its parent, however that ends. */
export function asAccount(
  account: Account | undefined,
  command: string,
  args: readonly string[],
): readonly [command: string, args: readonly string[]] {
  const setpriv = '/usr/bin/setpriv'
  if (!isExecutable(setpriv)) return [command, args]
  const switched = account === undefined ? [] : [`--reuid=${account.uid}`, `--regid=${account.gid}`, '--clear-groups']
  return [setpriv, [...switched, '--pdeathsig=QUIT', command, ...args]]
}
