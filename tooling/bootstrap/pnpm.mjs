// Finds the pinned pnpm: where the last run found it, on PATH, or else through `npm exec`, which fetches it.

import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runQuietly } from './command.mjs'
import { Failure } from './progress.mjs'
import { readStamp } from './stamp.mjs'
import { pinnedPnpm, root } from './workspace.mjs'

const names = process.platform === 'win32' ? ['pnpm.exe', 'pnpm.cmd'] : ['pnpm']

/** @returns {Promise<string>} the binary's path */
export async function findPnpm() {
  const version = pinnedPnpm()
  const remembered = readStamp().pnpm
  if (remembered?.version === version && existsSync(remembered.path)) return remembered.path
  const onPath = pinnedOn(process.env.PATH ?? '', version)
  if (onPath !== undefined) return onPath

  const remedy = 'Check that npm reaches its registry (`npm ping`), then run this again.'
  const self = fileURLToPath(new URL('run.mjs', import.meta.url))
  const args = ['exec', '--yes', `--package=pnpm@${version}`, '--', 'node', self, 'path']
  const npm = process.env.npm_execpath?.endsWith('.js') ? [process.execPath, process.env.npm_execpath] : ['npm']
  const [file = 'npm', ...rest] = npm
  const out = await runQuietly(file, [...rest, ...args], {
    what: `npm exec --package=pnpm@${version}`,
    remedy,
    cwd: root,
    env: process.env,
    shell: process.platform === 'win32' && npm.length === 1,
  })
  const path = pinnedOn(JSON.parse(out.trim().split('\n').at(-1) ?? '""'), version)
  if (path === undefined)
    throw new Failure(1, `npm did not bring pnpm ${version}.`, `npm install --global pnpm@${version}`)
  return path
}

/** The job that `npm exec` runs: says what PATH it was given. */
export function announcePath() {
  process.stdout.write(`${JSON.stringify(process.env.PATH ?? '')}\n`)
  return 0
}

/**
 * The first pnpm of exactly that version.
 * @param {string} path
 * @param {string} version
 */
export function pinnedOn(path, version) {
  for (const folder of path.split(delimiter)) {
    if (folder === '') continue
    for (const name of names) {
      const file = join(folder, name)
      if (existsSync(file) && versionOf(file) === version) return file
    }
  }
  return undefined
}

/** @param {string} file */
function versionOf(file) {
  try {
    return execFileSync(file, ['--version'], {
      cwd: root,
      encoding: 'utf8',
      shell: file.endsWith('.cmd'),
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 20_000,
    }).trim()
  } catch {
    return undefined
  }
}
