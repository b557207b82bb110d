// `npm run check`: the small checks that keep the promises of this repository true.
// Each lives in checks/, starts with why it exists, and has a planted fault in test/ that proves it bites.
// usage: run.mjs [NAME…]

import { performance } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'

const names = [
  'import-direction',
  'neutral-packages',
  'native-binaries',
  'environment',
  'file-size',
  'readmes',
  'route-tests',
  'named-tests',
  'words',
  'doc-links',
  'doc-examples',
  'error-codes',
  'consumer-matrix',
  'cli-reference',
  'bench-page',
  'biome-faults',
  'lint',
  'dead-code',
  'packed',
]

const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/[\\/]$/, '')
const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !names.includes(name))
if (unknown.length > 0) {
  console.error(`no such check: ${unknown.join(', ')}\nthere are: ${names.join(', ')}`)
  process.exit(2)
}

let failed = 0
for (const name of names) {
  if (wanted.length > 0 && !wanted.includes(name)) continue
  const since = performance.now()
  /** @type {string[]} */
  let problems
  try {
    const check = await import(`./checks/${name}.mjs`)
    problems = await check.run({ root })
  } catch (error) {
    problems = [`the check itself failed: ${error instanceof Error ? error.stack : String(error)}`]
  }
  if (problems.length > 0) failed++
  const seconds = `${((performance.now() - since) / 1000).toFixed(1)} s`.padStart(8)
  console.log(`${name.padEnd(18)}${seconds}  ${problems.length === 0 ? 'holds' : 'FAILS'}`)
  for (const problem of problems) console.log(`    ${problem}`)
}
if (failed > 0) console.log(`${failed} of the checks failed`)
process.exitCode = failed > 0 ? 1 : 0
