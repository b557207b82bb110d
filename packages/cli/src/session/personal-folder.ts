import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { CliError } from '../failure.ts'
import type { CliIo } from '../io.ts'

/**
 * Where this machine keeps what is this person's own: `COUNTERSIGN_HOME`, else a folder of ours where the system keeps the
 * data of programs.
 * @throws CliError `bad_input` for a `COUNTERSIGN_HOME` that is no absolute path
 */
export function personalFolder(
  env: CliIo['env'],
  platform: NodeJS.Platform = process.platform,
  home: string = homedir(),
): string {
  const { COUNTERSIGN_HOME: chosen } = env
  if (chosen !== undefined && chosen !== '') {
    if (isAbsolute(chosen)) return chosen
    throw new CliError('bad_input', 'COUNTERSIGN_HOME is no absolute path.', {
      remedy: 'Set COUNTERSIGN_HOME to an absolute path, or unset it.',
    })
  }
  if (platform === 'darwin') return join(home, 'Library', 'Application Support', 'countersign')
  if (platform === 'win32') return join(env.APPDATA ?? join(home, 'AppData', 'Roaming'), 'countersign')
  // The XDG base directory specification: a path that is not absolute is ignored.
  const { XDG_DATA_HOME: data = '' } = env
  return join(isAbsolute(data) ? data : join(home, '.local', 'share'), 'countersign')
}
