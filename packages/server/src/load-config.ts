import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { readModule } from './read-module.ts'
import { type Environment, type ResolvedConfig, resolveConfig } from './resolve-config.ts'
import { ServerError } from './server-error.ts'

/** In the order in which they are looked for. */
export const configFileNames: readonly string[] = [
  'countersign.config.ts',
  'countersign.config.js',
  'countersign.config.json',
]

/** Looks in `cwd` and upwards, to the nearest folder with a package.json and no further: a configuration is code. */
export function findConfigFile(cwd: string): string | undefined {
  let folder = resolve(cwd)
  for (;;) {
    for (const name of configFileNames) {
      const file = join(folder, name)
      if (existsSync(file)) return file
    }
    const parent = dirname(folder)
    if (parent === folder || existsSync(join(folder, 'package.json'))) return undefined
    folder = parent
  }
}

export interface LoadConfigOptions {
  /** A certain file; absent: the nearest, see {@link findConfigFile}. */
  readonly file?: string
  readonly cwd: string
  /** The process's environment: COUNTERSIGN_* override the file. @default {} */
  readonly env?: Environment
}

/**
 * Finds, reads and checks the configuration.
 * @throws ServerError `config_not_found`, `config_unreadable`, `config_invalid` (names the setting, what was expected and what was found)
 */
export async function loadConfig(options: LoadConfigOptions): Promise<ResolvedConfig> {
  const file = options.file === undefined ? findConfigFile(options.cwd) : resolve(options.cwd, options.file)
  if (file === undefined) {
    throw new ServerError('config_not_found', `There is no ${configFileNames.join(' or ')} in ${resolve(options.cwd)}.`)
  }
  if (!existsSync(file)) throw new ServerError('config_not_found', `${file} does not exist.`)
  return await resolveConfig(await readModule(file), {
    baseDir: dirname(file),
    file,
    ...(options.env === undefined ? {} : { env: options.env }),
  })
}
