import { spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { temporaryDirectory } from './support.ts'

export interface Traced {
  /** What the child printed, by line. */
  readonly printed: readonly string[]
  readonly trace: readonly string[]
  readonly exitCode: number | null
}

/** Runs `children/add-in-turn.ts` under strace, which also injects the faults. */
export function addUnderStrace(path: string, count: number, options: readonly string[]): Promise<Traced> {
  return runUnderStrace('add-in-turn', path, count, options)
}

/** The same for another of the children. */
export async function runUnderStrace(
  child: 'add-in-turn' | 'revoke-in-turn',
  path: string,
  count: number,
  options: readonly string[],
): Promise<Traced> {
  if (spawnSync('strace', ['--version']).status !== 0) {
    throw new Error('strace is missing, without which durability cannot be shown. Install it: apt-get install strace')
  }
  const log = join(temporaryDirectory(), 'trace')
  const script = fileURLToPath(new URL(`./children/${child}.ts`, import.meta.url))
  const traced = spawn('strace', ['-f', '-y', '-o', log, ...options, process.execPath, script, path, `${count}`], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let printed = ''
  let failures = ''
  traced.stdout.on('data', (chunk) => {
    printed += chunk
  })
  traced.stderr.on('data', (chunk) => {
    failures += chunk
  })
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    traced.once('error', reject)
    traced.once('close', resolve)
  })
  if (!printed.startsWith('opened\n')) throw new Error(`The child did not open the database: ${printed}${failures}`)
  return { printed: printed.trimEnd().split('\n'), trace: readFileSync(log, 'utf8').trimEnd().split('\n'), exitCode }
}
