import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { patienceMs } from './patience.ts'
import { Surprise } from './walk.ts'

const require = createRequire(import.meta.url)
const manifestFile = require.resolve('@countersign/cli/package.json')
const manifest: { bin: { countersign: string } } = require(manifestFile)
const command = join(dirname(manifestFile), manifest.bin.countersign)

/**
 * Runs `countersign … --json` beside the running fleet, as an operator would, and parses what it prints.
 * @throws Surprise with what it said when it does not exit as expected
 */
export async function countersign(
  configFile: string,
  words: readonly string[],
  { stdin = '', exitCode = 0 }: { readonly stdin?: string; readonly exitCode?: number } = {},
): Promise<Record<string, unknown>> {
  const child = spawn(process.execPath, [command, ...words, '--config', configFile, '--json'], {
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: patienceMs,
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  // A command that refuses early closes its input; what it says of that is in its exit code.
  child.stdin.on('error', () => undefined)
  child.stdin.end(stdin)
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  if (code !== exitCode) {
    throw new Surprise(`countersign ${words.join(' ')} ended with ${code}: ${(stderr || stdout).trim().slice(0, 500)}`)
  }
  return JSON.parse(stdout)
}
