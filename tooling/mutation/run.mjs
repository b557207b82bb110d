// `pnpm mutation tokens|guard`: changes the code of a package in many small ways, one at a time, and counts for how many
// of them a test fails. Minutes to an hour; what has not changed since the last run is not run again.
// usage: run.mjs [--force] [--concurrency N] [--files GLOB] tokens|guard

import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { matchesGlob } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { isConsidered, mayBeKept, scoreOf, table } from './score.mjs'

const packages = ['tokens', 'guard']
/** Percent of the mutants that tests have to notice. */
const leastScore = 85
const here = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url))

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    force: { type: 'boolean', default: false },
    concurrency: { type: 'string', default: '2' },
    files: { type: 'string' },
  },
})
const [name = ''] = positionals
const concurrency = Number(values.concurrency)
if (positionals.length !== 1 || !packages.includes(name) || !(Number.isInteger(concurrency) && concurrency > 0)) {
  console.error(`usage: run.mjs [--force] [--concurrency N] [--files GLOB] ${packages.join('|')}`)
  process.exit(2)
}

const { Stryker } = await import('@stryker-mutator/core')
process.chdir(here(`../../packages/${name}`))
mkdirSync(here('results'), { recursive: true })

const incrementalFile = here(`results/${name}.incremental.json`)
if (existsSync(incrementalFile)) {
  const report = JSON.parse(readFileSync(incrementalFile, 'utf8'))
  for (const [path, file] of Object.entries(report.files)) {
    if (matchesGlob(path, values.files ?? '**')) file.mutants = file.mutants.filter(mayBeKept)
  }
  writeFileSync(incrementalFile, JSON.stringify(report))
}
const results = await new Stryker({
  mutate: [values.files ?? 'src/**/*.ts', '!src/**/*.d.ts'],
  testRunner: 'vitest',
  plugins: [fileURLToPath(import.meta.resolve('@stryker-mutator/vitest-runner'))],
  vitest: { configFile: here('vitest.config.mjs') },
  coverageAnalysis: 'perTest',
  concurrency,
  incremental: true,
  incrementalFile,
  force: values.force,
  reporters: ['progress-append-only', 'clear-text', 'html'],
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false, reportScoreTable: false },
  htmlReporter: { fileName: here(`results/${name}.html`) },
  tempDirName: '.stryker-tmp',
  // Not for the sandbox: its own are found above it, with the right paths in them.
  ignorePatterns: ['tsconfig*.json'],
  // Rewriting it asks for TypeScript's JS API, which TypeScript 7 does not have.
  tsconfigFile: 'none.json',
  packageManager: 'pnpm',
  allowConsoleColors: false,
  // Endless loops are noticed by their turns; waiting this long only means that the machine was busy.
  timeoutMS: 120_000,
}).runMutationTest()

const files = scoreOf(results.filter(isConsidered))
console.log(`\n${table(files)}\n`)
const { score } = files.at(-1) ?? { score: 0 }
if (values.files === undefined) {
  const file = here(`results/${name}.json`)
  writeFileSync(`${file}.tmp`, `${JSON.stringify({ name, least: leastScore, score, files }, undefined, 2)}\n`)
  renameSync(`${file}.tmp`, file)
  console.log(`written: ${file}`)
}
if (score < leastScore) {
  console.error(`${score.toFixed(1)} % are noticed, which is under ${leastScore} %.`)
  process.exitCode = 1
}
