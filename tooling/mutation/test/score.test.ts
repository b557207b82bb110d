import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { isConsidered, mayBeKept, scoreOf, table } from '../score.mjs'

const mutants = [
  { fileName: '/sandbox/src/one.ts', status: 'Killed' },
  { fileName: '/sandbox/src/one.ts', status: 'Timeout' },
  { fileName: '/sandbox/src/one.ts', status: 'Survived' },
  { fileName: '/sandbox/src/internal/two.ts', status: 'NoCoverage' },
  { fileName: '/sandbox/src/internal/two.ts', status: 'CompileError' },
  { fileName: '/sandbox/src/internal/two.ts', status: 'Ignored' },
]

it('counts what tests noticed of all that they could have', () => {
  const files = scoreOf(mutants.filter(isConsidered))
  expect(files).toEqual([
    { file: 'internal/two.ts', mutants: 1, noticed: 0, survived: 0, uncovered: 1, score: 0 },
    { file: 'one.ts', mutants: 3, noticed: 2, survived: 1, uncovered: 0, score: 200 / 3 },
    { file: 'all', mutants: 4, noticed: 2, survived: 1, uncovered: 1, score: 50 },
  ])
  expect(table(files).split('\n').at(-1)).toMatch(/^all +50\.0 +4 +1 +1$/)
})

it('tries again what nothing noticed and every test could have', () => {
  const kept = [
    { status: 'Survived', static: true },
    { status: 'Survived', static: false },
    { status: 'Survived' },
    { status: 'Killed', static: true },
  ].map(mayBeKept)
  expect(kept).toEqual([false, true, true, true])
})

it.each([[[]], [['no-such']], [['tokens', 'guard']], [['--concurrency', '0', 'tokens']]])('refuses %j', (args) => {
  const run = fileURLToPath(new URL('../run.mjs', import.meta.url))
  const { status, stderr } = spawnSync(process.execPath, [run, ...args], { encoding: 'utf8' })
  expect([status, stderr]).toEqual([2, expect.stringContaining('tokens|guard')])
})
