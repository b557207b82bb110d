// `npm start` and `npm test` on a machine that has Node 20 and npm, and nothing else.
//
// Steps: find pnpm (through npm, if it is not there), install, build, then the job under the Node of node_modules.
// Everything that this script says goes to stderr: stdout belongs to the job.

import { installPackages } from './install.mjs'
import { buildWorkspace, runChecks, runTests, runTour, typecheckWorkspace, writeDocs } from './jobs.mjs'
import { requireNode } from './node-binary.mjs'
import { announcePath, findPnpm } from './pnpm.mjs'
import { createProgress, Failure } from './progress.mjs'
import { installSystemPackages } from './system-packages.mjs'

const usage = `usage: node tooling/bootstrap/run.mjs JOB [ARGUMENTS]

  start       build, then walk the tour (--once, --json, --data DIR are the tour's)
  test        system packages, build, types, then the tests (arguments go to vitest)
  setup       system packages, packages and build, and no job
  build       packages and build
  typecheck   packages, build and types
  check       packages, build, then the checks of tooling/checks (arguments are names of checks)
  docs        packages, build, then writes the pages of docs/ that are made from code
`

/**
 * @typedef {object} Job
 * @property {boolean} system whether it needs Debian's packages
 * @property {string[]} tasks what turbo runs
 * @property {string} [only] the workspace package to build, with all that it imports; all of them otherwise
 * @property {(context: import('./jobs.mjs').Context, args: string[]) => Promise<number>} [run]
 */

/** @type {Record<string, Job>} */
const jobs = {
  start: { system: false, tasks: ['build'], only: '@countersign-apps/tour', run: runTour },
  test: { system: true, tasks: ['build', 'typecheck'], run: runTests },
  setup: { system: true, tasks: ['build'] },
  build: { system: false, tasks: ['build'] },
  typecheck: { system: false, tasks: ['build', 'typecheck'] },
  check: { system: false, tasks: ['build'], run: runChecks },
  docs: { system: false, tasks: ['build'], run: writeDocs },
}

/** @param {string[]} argv */
async function main(argv) {
  const [name = '', ...args] = argv
  if (name === 'path') return announcePath()
  const job = Object.hasOwn(jobs, name) ? jobs[name] : undefined
  if (job === undefined) {
    process.stderr.write(usage)
    return 2
  }
  if (Number(process.versions.node.split('.')[0]) < 20) {
    throw new Failure(1, `Node ${process.versions.node} is too old.`, 'Install Node 20 or newer, then run this again.')
  }

  const steps = 3 + (job.system ? 1 : 0) + (job.tasks.includes('typecheck') ? 1 : 0)
  const progress = createProgress({ steps })
  if (job.system) await progress.step('system packages', () => installSystemPackages())
  const pnpm = await progress.step('pnpm', () => findPnpm())
  await progress.step('install', (say) => installPackages(pnpm, say))
  const node = requireNode()
  const context = { pnpm, node }
  await progress.step('build', (say) => buildWorkspace(context, job.only, say))
  if (job.tasks.includes('typecheck')) await progress.step('types', (say) => typecheckWorkspace(context, say))
  progress.done()
  return job.run === undefined ? 0 : job.run(context, args)
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof Failure)) throw error
  process.stderr.write(`\n${error.message}\n${error.output}What to do: ${error.remedy}\n`)
  process.exitCode = error.status
}
