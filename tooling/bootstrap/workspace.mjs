// Where the workspace is, what its manifest says, and the environment that its tools run in.

import { existsSync, readFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Failure } from './progress.mjs'

export const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/[\\/]$/, '')

/** @param {string} path */
export const inRoot = (path) => join(root, path)

/** @param {string} path @returns {any} */
export const readJson = (path) => JSON.parse(readFileSync(path, 'utf8'))

/** @returns {string} the version after `pnpm@` in the root manifest */
export function pinnedPnpm() {
  return String(readJson(inRoot('package.json')).packageManager)
    .replace(/^pnpm@/, '')
    .replace(/\+.*$/, '')
}

/**
 * The environment of every tool: the workspace's own binaries first, so that scripts run under its Node; then pnpm.
 * @param {string} [pnpm] the binary's path
 * @returns {NodeJS.ProcessEnv}
 */
export function toolEnvironment(pnpm) {
  const before = [inRoot('node_modules/.bin'), ...(pnpm === undefined ? [] : [dirname(pnpm)])]
  return {
    ...process.env,
    PATH: [...before, process.env.PATH ?? ''].join(delimiter),
    TURBO_TELEMETRY_DISABLED: '1',
    DO_NOT_TRACK: '1',
  }
}

/**
 * The script behind a package's command, to be run with Node itself: the same on every platform.
 * @param {string} name of a package that the root manifest depends on
 * @param {string} [command]
 */
export function commandOf(name, command = name) {
  const folder = inRoot(join('node_modules', name))
  const manifest = join(folder, 'package.json')
  if (!existsSync(manifest)) {
    throw new Failure(1, `${name} is not installed.`, 'Remove node_modules, then run this again.')
  }
  const { bin } = readJson(manifest)
  return join(folder, typeof bin === 'string' ? bin : bin[command])
}
