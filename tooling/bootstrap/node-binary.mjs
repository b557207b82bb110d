// The Node that everything runs under: the npm package `node`, whatever Node the machine has.

import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { Failure } from './progress.mjs'
import { inRoot } from './workspace.mjs'

/** The oldest of the 24 line without a known hole (CVE-2026-21710). */
const oldest = [24, 14, 1]

/**
 * @param {string} [installed] where the package puts its binary
 * @param {string} [own] the machine's Node, which does as well if it is new enough
 * @returns {string} the binary's path
 */
export function requireNode(
  installed = inRoot(`node_modules/node/bin/node${process.platform === 'win32' ? '.exe' : ''}`),
  own = process.execPath,
) {
  const found = []
  for (const binary of [installed, own]) {
    const version = existsSync(binary) ? versionOf(binary) : undefined
    if (version !== undefined && isRecent(version)) return binary
    found.push(`${binary}: ${version ?? 'not there'}`)
  }
  throw new Failure(
    1,
    `No Node 24 for ${process.platform}-${process.arch} (${found.join('; ')}).`,
    `Remove node_modules and run this again; if the npm package \`node\` has no binary for this platform, install Node 24 (${oldest.join('.')} or newer) and run this again with it.`,
  )
}

/** @param {string} version such as v24.21.0 */
export function isRecent(version) {
  const parts = version.replace(/^v/, '').split('.').map(Number)
  if (parts[0] !== oldest[0]) return false
  for (const [index, least] of oldest.entries()) {
    const part = parts[index] ?? 0
    if (part !== least) return part > least
  }
  return true
}

/** @param {string} binary */
function versionOf(binary) {
  try {
    return execFileSync(binary, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
  } catch {
    return undefined
  }
}
