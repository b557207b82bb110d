import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { runProgram } from './run-program.ts'

const checks = z.array(z.object({ id: z.string(), status: z.string(), errorMessage: z.string().optional() }))

export interface Outcome {
  readonly scenario: string
  /** Without the one that looks at the form of every message, which also passes where nothing else was looked at. */
  readonly passed: number
  readonly failed: number
  readonly warnings: number
  /** What failed, and what was warned of. */
  readonly details: readonly string[]
}

/**
 * Runs the suite with these arguments and reads what it wrote down.
 *
 * @param main of the suite, which needs Node 22 or newer
 */
export async function runConformance(main: string, args: readonly string[]): Promise<readonly Outcome[]> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-conformance-'))
  try {
    const { code, stderr, stdout } = await runProgram(process.execPath, [main, ...args, '-o', folder], {
      timeoutMs: 400_000,
    })
    const files = (await readdir(folder, { recursive: true })).filter((file) => file.endsWith('checks.json'))
    if (files.length === 0) throw new Error(`The suite wrote nothing down (${code}).\n${stdout}\n${stderr}`)
    const outcomes = await Promise.all(
      files.map(async (file) => outcomeOf(file, checks.parse(JSON.parse(await readFile(join(folder, file), 'utf8'))))),
    )
    return outcomes.sort((a, b) => (a.scenario < b.scenario ? -1 : 1))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function outcomeOf(file: string, all: z.infer<typeof checks>): Outcome {
  const counted = (status: string): number => all.filter((check) => check.status === status).length
  return {
    // server-NAME-TIME/checks.json, and without `server-` for clients.
    scenario: file
      .replace(/-\d{4}-\d\d-\d\dT[^/\\]*[/\\]checks\.json$/, '')
      .replace(/^(server|authorization)-(?!$)/, '')
      .replaceAll('\\', '/'),
    passed: all.filter(({ id, status }) => status === 'SUCCESS' && id !== 'wire-schema-valid').length,
    failed: counted('FAILURE'),
    warnings: counted('WARNING'),
    details: all
      .filter(({ status }) => status === 'FAILURE' || status === 'WARNING')
      .map(({ id, status, errorMessage }) => `${status.toLowerCase()} ${id}: ${errorMessage ?? ''}`),
  }
}
