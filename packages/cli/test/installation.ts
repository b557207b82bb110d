import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { type Ran, type RunOptions, run } from './run.ts'

/** A fresh installation in a folder of its own. */
export interface Installation {
  readonly folder: string
  readonly configFile: string
  /** Runs a command for it. */
  run(argv: readonly string[], options?: RunOptions): Promise<Ran>
  /** The same with --json; fails unless it exits with 0. */
  json(argv: readonly string[], options?: RunOptions): Promise<Record<string, unknown>>
  remove(): Promise<void>
}

export async function emptyFolder(): Promise<string> {
  return await mkdtemp(join(tmpdir(), 'countersign-cli-'))
}

/** Made once for each test file: a copy takes a tenth of the time of `init`. */
let template: Promise<string> | undefined

async function makeTemplate(): Promise<string> {
  const folder = await emptyFolder()
  const made = await run(['init', folder, '--quiet'])
  if (made.exitCode !== 0) throw new Error(made.stderr)
  return folder
}

afterAll(async () => {
  if (template !== undefined) await rm(await template, { recursive: true, force: true })
})

export async function install(): Promise<Installation> {
  template ??= makeTemplate()
  const folder = await emptyFolder()
  await cp(await template, folder, { recursive: true })
  const configFile = join(folder, 'countersign.config.json')
  const runHere: Installation['run'] = (words, options) => run([...words, '--config', configFile], options)
  return {
    folder,
    configFile,
    run: runHere,
    async json(words, options) {
      const ran = await runHere([...words, '--json'], options)
      if (ran.exitCode !== 0) throw new Error(ran.stderr)
      return ran.json()
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}
