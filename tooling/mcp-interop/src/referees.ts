import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { runProgram } from './run-program.ts'

const folder = join(import.meta.dirname, '..', 'referees')
const manifest = z.object({ dependencies: z.record(z.string(), z.string()) })

export interface Referees {
  /** The suite's released line, and its next one. */
  readonly conformance: Readonly<Record<ConformanceLine, { readonly version: string; readonly main: string }>>
  readonly inspector: { readonly version: string; readonly main: string }
}
export type ConformanceLine = 'stable' | 'next'

/**
 * Installs them where they were not, exactly as their lockfile says and without running any script of theirs.
 *
 * @returns undefined when nothing had to be done, else how long it took
 */
export async function installReferees(): Promise<number | undefined> {
  const lock = await readFile(join(folder, 'package-lock.json'))
  const wanted = createHash('sha256').update(lock).digest('hex')
  const stamp = join(folder, 'node_modules', '.installed-for')
  if ((await readFile(stamp, 'utf8').catch(() => '')) === wanted) return undefined
  const started = performance.now()
  // A script runner's own npm settings would have npm work in that runner's folder.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_config_(local_)?prefix$/i.test(name)),
  )
  const { code, stderr } = await runProgram('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
    ...{ cwd: folder, env },
    timeoutMs: 600_000,
  })
  if (code !== 0) throw new Error(`npm ci in ${folder} ended with ${code}:\n${stderr}`)
  await writeFile(stamp, wanted)
  return performance.now() - started
}

export async function readReferees(): Promise<Referees> {
  const { dependencies } = manifest.parse(JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')))
  const versionOf = (name: string): string => dependencies[name]?.split('@').at(-1) ?? ''
  const conformanceOf = (line: ConformanceLine) => ({
    version: versionOf(`conformance-${line}`),
    main: join(folder, 'node_modules', `conformance-${line}`, 'dist', 'index.js'),
  })
  const inspector = '@modelcontextprotocol/inspector'
  return {
    conformance: { stable: conformanceOf('stable'), next: conformanceOf('next') },
    inspector: {
      version: versionOf(inspector),
      main: join(folder, 'node_modules', inspector, 'clients', 'launcher', 'build', 'index.js'),
    },
  }
}
