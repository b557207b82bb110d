import { execFile } from 'node:child_process'

export interface Ran {
  readonly status: number
  /** stdout and stderr, one after the other. */
  readonly output: string
}

/** Without what an npm around us (`npm test`) tells its children: it is not meant for the npm that is run here. */
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name)))

/**
 * Runs a program to its end, at most 60 s.
 *
 * @throws Error only if it cannot be started
 */
export function run(file: string, args: readonly string[], cwd: string): Promise<Ran> {
  return new Promise((resolve, reject) => {
    execFile(file, args, { cwd, env, timeout: 110_000, maxBuffer: 16 * 1024 * 1024 }, (error, stdout, stderr) => {
      const status = error === null ? 0 : error.code
      if (status === 'ENOENT') reject(new Error(`${file} is not on the PATH, where \`npm test\` puts it.`))
      else if (typeof status === 'string') reject(error)
      else resolve({ status: typeof status === 'number' ? status : 1, output: `${stdout}${stderr}` })
    })
  })
}

/** @throws Error with what the program said, if its status is not 0 */
export async function runWell(file: string, args: readonly string[], cwd: string): Promise<void> {
  const { status, output } = await run(file, args, cwd)
  if (status !== 0) throw new Error(`${file} ${args.join(' ')} ended with ${status}:\n${output}`)
}
