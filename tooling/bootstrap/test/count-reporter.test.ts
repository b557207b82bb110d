import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../..', import.meta.url))

/** Runs vitest over the files, as `npm test` does. */
function run(files: Record<string, string>): Promise<{ status: number; lastLine: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-count-'))
  mkdirSync(join(folder, 'test'))
  writeFileSync(join(folder, 'vitest.config.mjs'), 'export default {}')
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  cpSync(join(root, 'tooling/bootstrap/count-reporter.mjs'), join(folder, 'count-reporter.mjs'))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, 'test', name), text)
  const vitest = join(root, 'node_modules/vitest/vitest.mjs')
  const args = [vitest, 'run', '--reporter=default', '--reporter=./count-reporter.mjs', '--root', folder]
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: folder, env: { ...process.env, CI: 'true' } }, (error, stdout) => {
      rmSync(folder, { recursive: true })
      const status = error === null ? 0 : Number(error.code)
      resolve({ status, lastLine: stdout.trimEnd().split('\n').at(-1) ?? '' })
    })
  })
}

const passing = "import { it } from 'vitest'\nit('passes', () => {})\n"

it.concurrent.each([
  ['passes', { 'a.test.ts': passing }, 0, '1 passed, 0 failed'],
  ['fails', { 'a.test.ts': `${passing}it('fails', () => { throw new Error('x') })` }, 1, '1 passed, 1 failed'],
  ['does not load', { 'a.test.ts': passing, 'b.test.ts': "import './absent.ts'" }, 1, '1 passed, 1 failed'],
  [
    'skips all',
    { 'a.test.ts': "import { it } from 'vitest'\nit.skip('waits', () => {})\n" },
    1,
    '0 passed, 0 failed, 1 skipped',
  ],
  ['has no test file', { 'a.txt': '' }, 1, '0 passed, 0 failed'],
  [
    'leaves a rejection unhandled',
    {
      'a.test.ts': `${passing}it('leaks', async () => { Promise.reject(new Error('x')); await new Promise(setImmediate) })`,
    },
    1,
    '2 passed, 1 failed',
  ],
])('a run that %s ends with its count', async (_what, files, status, lastLine) => {
  await expect(run(files)).resolves.toEqual({ status, lastLine })
})
