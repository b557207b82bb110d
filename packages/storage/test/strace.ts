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
export async function addUnderStrace(path: string, count: number, options: readonly string[]): Promise<Traced> {
  if (spawnSync('strace', ['--version']).status !== 0) {
    throw new Error('strace is missing, without which durability cannot be shown. Install it: apt-get install strace')
  }
  const log = join(temporaryDirectory(), 'trace')
  const script = fileURLToPath(new URL('./children/add-in-turn.ts', import.meta.url))
  const child = spawn('strace', ['-f', '-y', '-o', log, ...options, process.execPath, script, path, `${count}`], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let printed = ''
  let failures = ''
  child.stdout.on('data', (chunk) => {
    printed += chunk
  })
  child.stderr.on('data', (chunk) => {
    failures += chunk
  })
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  if (!printed.startsWith('opened\n')) throw new Error(`The child did not open the database: ${printed}${failures}`)
  return { printed: printed.trimEnd().split('\n'), trace: readFileSync(log, 'utf8').trimEnd().split('\n'), exitCode }
}
