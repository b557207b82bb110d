// What happens once everything is installed: build, types, tests, checks, the tour.

import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { runInForeground, runQuietly } from './command.mjs'
import { Failure } from './progress.mjs'
import { commandOf, inRoot, root, toolEnvironment } from './workspace.mjs'

/**
 * @typedef {object} Context
 * @property {string} pnpm the binary's path
 * @property {string} node the Node that everything runs under
 */

/**
 * @param {Context} context
 * @param {string[]} args
 * @param {import('./progress.mjs').Say} say
 */
function turbo({ node, pnpm }, args, say) {
  const env = toolEnvironment(pnpm)
  // What a remote cache would be reached by; results stay on this machine.
  for (const name of ['TURBO_TOKEN', 'TURBO_TEAM', 'TURBO_TEAMID', 'TURBO_API']) delete env[name]
  const flags = ['--output-logs=errors-only', '--no-update-notifier', '--cache=local:rw', '--ui=stream']
  return runQuietly(node, [commandOf('turbo'), 'run', ...args, ...flags], {
    what: `turbo run ${args.join(' ')}`,
    remedy: 'Mend what the compiler names above, then run this again.',
    cwd: root,
    env,
    say,
  })
}

/**
 * @param {Context} context
 * @param {string | undefined} only
 * @param {import('./progress.mjs').Say} say
 */
export function buildWorkspace(context, only, say) {
  return turbo(context, ['build', ...(only === undefined ? [] : [`--filter=${only}`])], say)
}

/**
 * @param {Context} context
 * @param {import('./progress.mjs').Say} say
 */
export function typecheckWorkspace(context, say) {
  return turbo(context, ['typecheck'], say)
}

/**
 * @param {Context} context
 * @param {string[]} args
 */
export function runTour({ node, pnpm }, args) {
  const main = inRoot('apps/tour/dist/main.js')
  if (!existsSync(main)) throw new Failure(1, 'apps/tour was not built.', 'Run `npm run build` and see what it says.')
  return runInForeground(node, [main, ...args], { cwd: root, env: toolEnvironment(pnpm) })
}

/**
 * @param {Context} context
 * @param {string[]} args
 */
export function runTests({ node, pnpm }, args) {
  const counting = fileURLToPath(new URL('count-reporter.mjs', import.meta.url))
  const vitest = [commandOf('vitest'), 'run', '--reporter=default', `--reporter=${counting}`, ...args]
  return runInForeground(node, vitest, { cwd: root, env: toolEnvironment(pnpm) })
}

/**
 * @param {Context} context
 * @param {string[]} args
 */
export function runChecks({ node, pnpm }, args) {
  return runInForeground(node, [inRoot('tooling/checks/run.mjs'), ...args], { cwd: root, env: toolEnvironment(pnpm) })
}

/** @param {Context} context */
export function writeDocs({ node, pnpm }) {
  return runInForeground(node, [inRoot('tooling/checks/write-docs.mjs')], { cwd: root, env: toolEnvironment(pnpm) })
}
