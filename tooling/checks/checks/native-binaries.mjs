// A tool whose native package for one platform was missing when the lockfile was written installs there without an
// error, and fails when it is called: pnpm drops such packages silently. Every family must be whole in the lockfile.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'

const platforms = ['darwin', 'linux', 'win32'].flatMap((os) => ['x64', 'arm64'].map((cpu) => `${os}-${cpu}`))

/** Tools that must be there as families: one that lost all its native packages would not be noticed otherwise. */
const expected = ['@biomejs/biome', '@node-rs/argon2', 'oxc-parser', 'rolldown', 'turbo', 'typescript']

/** Known not to be whole, and why that does no harm. */
/** @type {Readonly<Record<string, string>>} */
const excused = {
  '@node-rs/jsonwebtoken': 'a peer that one benchmark compares with; nothing that builds, tests or ships calls it',
  'rust-just': 'runs the justfile in a test, which reads the file instead where there is no binary',
}

/** @param {{ root: string }} context */
export function run({ root }) {
  return faultsOf(readFileSync(join(root, 'pnpm-lock.yaml'), 'utf8'))
}

/**
 * @param {string} lockfile
 * @param {readonly string[]} [families]
 */
export function faultsOf(lockfile, families = expected) {
  const problems = []
  const seen = new Set()
  for (const document of parseAllDocuments(lockfile)) {
    const { packages = {}, snapshots = {} } = document.toJS() ?? {}
    for (const [key, { optionalDependencies = {} }] of Object.entries(snapshots)) {
      const covered = new Set()
      for (const [name, version] of Object.entries(optionalDependencies)) {
        const { os = [], cpu = [] } = packages[`${name}@${version}`] ?? {}
        for (const system of os) for (const processor of cpu) covered.add(`${system}-${processor}`)
      }
      if (covered.size === 0) continue
      const family = key.replace(/(.)@.*$/, '$1')
      seen.add(family)
      if (Object.hasOwn(excused, family)) continue
      const missing = platforms.filter((platform) => !covered.has(platform))
      if (missing.length > 0) problems.push(`${key} has no binary in the lockfile for ${missing.join(', ')}`)
    }
  }
  for (const name of families) {
    if (!seen.has(name)) problems.push(`${name} has no native package in the lockfile at all`)
  }
  return problems
}
